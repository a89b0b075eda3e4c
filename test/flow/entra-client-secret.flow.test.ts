import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addPassword } from "../local-azure/resources.ts";
import type { ApplicationState, PasswordState } from "../local-azure/state.ts";
import { type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { latestOf, versionsOf } from "./fixture.ts";

const name = "orders-api-secret";
const hour = 3_600_000;
const ids = { objectId: randomUUID(), appId: randomUUID() };
const target = {
  tenant: "11111111-1111-4111-8111-111111111111",
  application: ids.objectId,
  client: ids.appId,
};

const stack = new AsyncDisposableStack();
let world: World;
let receiver: SpanReceiver;
let application: ApplicationState;

beforeAll(async () => {
  receiver = stack.use(await startSpanReceiver());
  world = stack.use(
    await startWorld({
      secrets: [{ vault: "prod-kv", name, rotator: "entra-client-secret", target }],
      otlp: receiver.url,
      logLevel: "debug",
    }),
  );
  const { principalId } = world.workerIdentity.identity;
  application = world.azure.addApplication("orders-api", [principalId], ids);
  world.azure.grantAppRole(principalId, "Application.ReadWrite.OwnedBy");
});
afterAll(() => stack.disposeAsync());

function existing(displayName: string | null): PasswordState {
  return addPassword(world.azure.state, application, { displayName, start: Date.now() - 2 * hour });
}

/** As a dependent would. */
async function signsIn(secret: string): Promise<boolean> {
  const response = await fetch(`${world.azure.urls.authority}/${target.tenant}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: ids.appId,
      client_secret: secret,
      scope: "https://graph.microsoft.com/.default",
    }),
  });
  return response.ok;
}

describe("a client secret near its expiry", () => {
  let made: PasswordState;
  let foreign: PasswordState;
  let old: string;

  beforeAll(async () => {
    made = existing("made by hand");
    foreign = existing("deploy pipeline");
    existing(`keyturn:prod-kv/${name}:r-${"a".repeat(26)}:left00`);
    // As long as with Entra, but short enough to watch.
    world.azure.state.passwordDelay = 2_000;
    old = await world.store(name, made.value, 29);
    await world.startWorker();
    await until(
      "the rotation is closed",
      () => {
        const latest = latestOf(world, name);
        return latest?.version !== old && latest?.tags["keyturn-state"] === "retired";
      },
      { limit: 240_000 },
    );
  });

  test("is replaced by a new one that works, under the id that Graph has it by", async () => {
    const latest = latestOf(world, name);
    const entry = application.passwords.find(({ value }) => value === latest?.value);
    expect(entry?.displayName).toMatch(new RegExp(`^keyturn:prod-kv/${name}:r-[a-z2-7]{26}:[0-9a-f]{6}$`));
    expect(latest?.tags).toMatchObject({ "keyturn-from": old, "keyturn-credential": entry?.keyId });
    expect(await signsIn(latest?.value ?? "")).toBe(true);
    // The client secret outlives the version by nothing and is outlived by it by nothing.
    expect(Math.abs((entry?.end ?? 0) / 1000 - (latest?.exp ?? 0))).toBeLessThan(60);
  });

  test("is removed in the end, its version disabled, though only its hint told which it was", async () => {
    expect(await signsIn(made.value)).toBe(false);
    expect(application.passwords.map(({ keyId }) => keyId)).not.toContain(made.keyId);
    expect(versionsOf(world, name).find(({ version }) => version === old)?.enabled).toBe(false);
  });

  test("takes along what an earlier mint left behind, and nothing of anybody else", async () => {
    expect(application.passwords).toHaveLength(2);
    expect(application.passwords).toContain(foreign);
    expect(await signsIn(foreign.value)).toBe(true);
  });

  test("was minted once, however long its propagation took", () => {
    const mints = world.azure.state.calls.filter(({ call }) => call.endsWith("/addPassword"));
    expect(mints).toHaveLength(1);
    expect(world.worker()?.restartCount).toBe(0);
  });

  test("leaves no value in spans, logs or messages", async () => {
    await until("the span of the removal has arrived", () =>
      receiver.spans.find((span) => span.name === "Graph.removePassword"),
    );
    const places = {
      spans: receiver.raw.join("\n"),
      log: world.worker()?.log.join("\n") ?? "",
      queues: JSON.stringify([...world.azure.state.queues.values()]),
    };
    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).toBeGreaterThan(0);
      for (const { value } of [made, ...versionsOf(world, name)])
        expect(text.includes(value), `a value in ${place}`).toBe(false);
    }
  });
});
