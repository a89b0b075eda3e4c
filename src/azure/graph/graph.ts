import { z } from "zod";
import type { Timestamp } from "../../clock.ts";
import { Fault, isFault } from "../../errors.ts";
import { SecretValue } from "../../secret-value.ts";
import { attribute } from "../../telemetry/names.ts";
import { createSignIn, type SignIn } from "./entra-sign-in.ts";
import { createGraphCall, type GraphOptions } from "./call.ts";

/** A client secret as Graph lists it: everything but the secret. */
export interface ClientSecret {
  readonly keyId: string;
  readonly displayName: string | undefined;
  /** The first three characters of the secret, if Graph still knows them. */
  readonly hint: string | undefined;
  readonly startsAt: Timestamp | undefined;
  readonly endsAt: Timestamp | undefined;
}

export interface Application {
  /** `appId`, by which it signs in; not the object id, by which Graph finds it. */
  readonly clientId: string;
  readonly secrets: readonly ClientSecret[];
}

interface NewClientSecret {
  readonly displayName: string;
  readonly endsAt: Timestamp;
}

/**
 * Applications and their client secrets. Directory reads come from replicas: a secret that was just added or removed
 * may be missing or still listed for some seconds. Every method throws a `Fault`.
 */
export interface Graph {
  /** @throws Fault `target-missing` if there is no such application */
  application(objectId: string, signal?: AbortSignal): Promise<Application>;
  /**
   * Sent once: after a retriable fault the secret may exist, and nobody can read it.
   * @throws Fault `too-many-credentials` at Graph's own limit
   */
  addPassword(
    objectId: string,
    secret: NewClientSecret,
    signal?: AbortSignal,
  ): Promise<{ readonly keyId: string; readonly value: SecretValue }>;
  /** Success if it is gone already. */
  removePassword(objectId: string, keyId: string, signal?: AbortSignal): Promise<void>;
  readonly signIn: SignIn;
}

/** Seven digits of a second, and `null` in what was made long ago. */
const Time = z.iso
  .datetime({ offset: true })
  .nullish()
  .transform((text) => (text ? Date.parse(text) : undefined));
const Text = z
  .string()
  .nullish()
  .transform((text) => text ?? undefined);

const ApplicationAnswer = z.object({
  appId: z.guid().toLowerCase(),
  passwordCredentials: z.array(
    z.object({
      keyId: z.guid().toLowerCase(),
      displayName: Text,
      hint: Text,
      startDateTime: Time,
      endDateTime: Time,
    }),
  ),
});
const AddedAnswer = z.object({ keyId: z.guid().toLowerCase(), secretText: z.string().min(1) });

/** Graph v1.0 through Azure's HTTP pipeline. https://learn.microsoft.com/graph/api/application-addpassword */
export function createGraph(options: GraphOptions): Graph {
  const call = createGraphCall(options);
  return {
    async application(objectId, signal) {
      const found = await find(call, objectId, signal);
      if (found) return found;
      throw new Fault(
        "target-missing",
        `there is no application with the object id ${objectId}; is it the client id, or of another tenant?`,
      );
    },
    async addPassword(objectId, secret, signal) {
      const added = await add(call, objectId, secret, signal);
      options.learn?.(added.value);
      return added;
    },
    removePassword: (objectId, keyId, signal) => remove(call, objectId, keyId, signal),
    signIn: createSignIn(options),
  };
}

type Call = ReturnType<typeof createGraphCall>;
type Signal = AbortSignal | undefined;

async function find(call: Call, objectId: string, signal: Signal): Promise<Application | undefined> {
  const doing = `read the application ${objectId}`;
  const attributes = { [attribute.resource]: objectId };
  try {
    const found = await call(
      { operation: "application", doing, method: "GET", attributes, signal },
      `/applications/${encodeURIComponent(objectId)}?$select=appId,passwordCredentials`,
      ApplicationAnswer,
    );
    return { clientId: found.appId, secrets: found.passwordCredentials.map(toClientSecret) };
  } catch (error) {
    if (isFault(error, "not-found")) return undefined;
    throw error;
  }
}

async function add(call: Call, objectId: string, { displayName, endsAt }: NewClientSecret, signal: Signal) {
  const doing = `add a client secret to the application ${objectId}`;
  const attributes = { [attribute.resource]: objectId };
  const passwordCredential = { displayName, endDateTime: new Date(endsAt).toISOString() };
  const added = await call(
    { operation: "addPassword", doing, method: "POST", body: { passwordCredential }, attributes, signal },
    `/applications/${encodeURIComponent(objectId)}/addPassword`,
    AddedAnswer,
  );
  return { keyId: added.keyId, value: new SecretValue(added.secretText) };
}

async function remove(call: Call, objectId: string, keyId: string, signal: Signal): Promise<void> {
  const doing = `remove the client secret ${keyId} of the application ${objectId}`;
  const attributes = { [attribute.resource]: objectId, [attribute.credential]: keyId };
  try {
    await call(
      { operation: "removePassword", doing, method: "POST", body: { keyId }, attributes, signal },
      `/applications/${encodeURIComponent(objectId)}/removePassword`,
      z.unknown(),
    );
  } catch (error) {
    // Graph answers a secret that is gone with its general 400, so only a look can tell.
    if (!isFault(error, "not-found", "unexpected-response")) throw error;
    const left = await find(call, objectId, signal);
    if (left?.secrets.some((secret) => secret.keyId === keyId.toLowerCase())) throw error;
  }
}

type ListedSecret = z.infer<typeof ApplicationAnswer>["passwordCredentials"][number];

function toClientSecret({ startDateTime, endDateTime, ...secret }: ListedSecret): ClientSecret {
  return { ...secret, startsAt: startDateTime, endsAt: endDateTime };
}
