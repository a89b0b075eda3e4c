import { Hono } from "hono";
import { randomUUID } from "node:crypto";
import type { Millis } from "../../../src/clock.ts";
import { Refusal, withFaults } from "../http.ts";
import { refuseOverLimit } from "../limits.ts";
import type { AzureState, EmitVaultEvent, HttpService, VaultState } from "../state.ts";
import type { TokenAuthority } from "../tokens.ts";
import { allow, requireToken, type VaultVariables } from "./access.ts";
import { bundle, deletedBundle, deletedListing, listing, metadata } from "./answers.ts";
import { openBackup, sealBackup } from "./backup.ts";
import { createExpiryWatch, type ExpiryWatch } from "./expiry-watch.ts";
import { page } from "./paging.ts";
import { badParameter, checkName, readBody, RestoreRequest, SetRequest, UpdateRequest } from "./requests.ts";
import * as store from "./store.ts";

export interface KeyVaultOptions {
  /** Where its events go; without it the vault is silent and sets no timers. */
  readonly emit?: EmitVaultEvent;
  /** From a write with less than 30 days to live to its `SecretNearExpiry`; Azure takes minutes. Default 1 s. */
  readonly nearExpiryDelay?: Millis;
  /** Origin that the 401 challenge names. */
  readonly authority?: string;
}

export interface KeyVaultService {
  readonly handle: HttpService;
  /** Stops the timers of its events. */
  readonly close: () => void;
}

/** The data plane of the secrets of one vault. `vault.url` has to be set before the first request. */
export function createKeyVault(
  state: AzureState,
  tokens: TokenAuthority,
  vault: VaultState,
  options: KeyVaultOptions = {},
): KeyVaultService {
  const { emit, nearExpiryDelay = 1_000, authority = "https://login.microsoftonline.com" } = options;
  const watch = emit && createExpiryWatch(state.clock, vault, emit, nearExpiryDelay);
  const app = new Hono<VaultVariables>({ strict: false });
  app.use(async (context, next) => {
    await next();
    context.header("x-ms-request-id", randomUUID());
    context.header("x-ms-keyvault-service-version", "1.9.0.0");
  });
  app.use(requireToken(state, tokens, authority));
  app.use(async (context, next) => {
    const name = context.req.path.split("/")[2];
    if (!new URL(context.req.url).searchParams.has("api-version")) {
      throw badParameter("The api-version query parameter is missing.");
    }
    if (name) checkName(name);
    const isCreate = context.req.method === "PUT";
    refuseOverLimit(state, isCreate ? "secret-create" : "vault", vault.id, "Throttled");
    return await next();
  });
  // Before the versions, because `versions` would pass for a version.
  addListRoutes(app, state, vault);
  addVersionRoutes(app, state, vault, emit, watch);
  addDeletionRoutes(app, state, vault);
  addBackupRoutes(app, state, vault, watch);
  app.notFound((context) => {
    throw badParameter(`There is no operation ${context.req.method} ${context.req.path}.`);
  });
  app.onError((error) => {
    if (error instanceof Refusal) return error.response();
    throw error;
  });
  const handle = withFaults(state, "key-vault", async (request) => await app.fetch(request));
  return { handle, close: () => watch?.close() };
}

function addVersionRoutes(
  app: Hono<VaultVariables>,
  state: AzureState,
  vault: VaultState,
  emit: EmitVaultEvent | undefined,
  watch: ExpiryWatch | undefined,
): void {
  app.put("/secrets/:name", allow(state, vault, "setSecret/action"), async (context) => {
    const name = context.req.param("name");
    const request = await readBody(context.req.raw, SetRequest);
    const version = store.setSecret(vault, name, request, seconds(state));
    emit?.({ type: "Microsoft.KeyVault.SecretNewVersionCreated", vault, name, version });
    watch?.follow(name, version);
    return context.json(bundle(vault, name, version));
  });
  app.get("/secrets/:name/:version?", allow(state, vault, "getSecret/action"), (context) => {
    const { name, version } = context.req.param();
    const found = store.findVersion(vault, name, version);
    if (!found.enabled) {
      const message = "Operation get is not allowed on a disabled secret.";
      throw new Refusal(403, "Forbidden", message, { inner: "SecretDisabled" });
    }
    return context.json(bundle(vault, store.findSecret(vault, name).name, found));
  });
  app.patch("/secrets/:name/:version?", allow(state, vault, "update/action"), async (context) => {
    const { name, version } = context.req.param();
    const request = await readBody(context.req.raw, UpdateRequest);
    const found = store.findVersion(vault, name, version);
    const exp = found.exp;
    store.updateVersion(vault, found, request, seconds(state));
    if (found.exp !== exp) watch?.follow(name, found);
    return context.json(metadata(vault, store.findSecret(vault, name).name, found));
  });
}

function addListRoutes(app: Hono<VaultVariables>, state: AzureState, vault: VaultState): void {
  const mayList = allow(state, vault, "readMetadata/action");
  app.get("/secrets", mayList, (context) =>
    context.json(
      page(
        vault,
        context.req.raw,
        vault.secrets.values(),
        (secret) => secret.name.toLowerCase(),
        (secret) => listing(vault, secret),
      ),
    ),
  );
  app.get("/secrets/:name/versions", mayList, (context) => {
    const secret = store.findSecret(vault, context.req.param("name"));
    // By version id, that is in no order that a client could rely on.
    return context.json(
      page(
        vault,
        context.req.raw,
        secret.versions,
        (version) => version.version,
        (version) => metadata(vault, secret.name, version),
      ),
    );
  });
  app.get("/deletedsecrets", mayList, (context) => {
    const now = seconds(state);
    return context.json(
      page(
        vault,
        context.req.raw,
        [...vault.deleted.values()].filter((secret) => secret.scheduledPurgeDate > now),
        (secret) => secret.name.toLowerCase(),
        (secret) => deletedListing(vault, secret),
      ),
    );
  });
}

function addDeletionRoutes(app: Hono<VaultVariables>, state: AzureState, vault: VaultState): void {
  app.delete("/secrets/:name", allow(state, vault, "delete"), (context) =>
    context.json(deletedBundle(vault, store.deleteSecret(vault, context.req.param("name"), seconds(state)))),
  );
  app.get("/deletedsecrets/:name", allow(state, vault, "readMetadata/action"), (context) =>
    context.json(deletedBundle(vault, store.findDeleted(vault, context.req.param("name"), seconds(state)))),
  );
  app.post("/deletedsecrets/:name/recover", allow(state, vault, "recover/action"), (context) => {
    const secret = store.recoverSecret(vault, context.req.param("name"), seconds(state));
    return context.json(metadata(vault, secret.name, store.findVersion(vault, secret.name)));
  });
  app.delete("/deletedsecrets/:name", allow(state, vault, "purge/action"), (context) => {
    store.purgeSecret(vault, context.req.param("name"), seconds(state));
    return context.body(null, 204);
  });
}

function addBackupRoutes(
  app: Hono<VaultVariables>,
  state: AzureState,
  vault: VaultState,
  watch: ExpiryWatch | undefined,
): void {
  app.post("/secrets/:name/backup", allow(state, vault, "backup/action"), (context) => {
    const secret = store.findSecret(vault, context.req.param("name"));
    return context.json({ value: sealBackup(secret) });
  });
  app.post("/secrets/restore", allow(state, vault, "restore/action"), async (context) => {
    const { value } = await readBody(context.req.raw, RestoreRequest);
    const secret = openBackup(value);
    store.restoreSecret(vault, secret, seconds(state));
    const latest = store.findVersion(vault, secret.name);
    watch?.follow(secret.name, latest);
    return context.json(metadata(vault, secret.name, latest));
  });
}

/** Key Vault keeps whole seconds. */
function seconds(state: AzureState): number {
  return Math.floor(state.clock.now() / 1000);
}
