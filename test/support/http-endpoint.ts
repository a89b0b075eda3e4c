import { createHash, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { z } from "zod";

/**
 * An example of an endpoint for the `http` rotator (src/rotators/http.md), for a system that keeps one key per slot. Here
 * the system is a map; in yours, `System` calls whatever has to know the key.
 */
export interface System {
  /** The slots there are, each with its present key, if it has one. */
  readonly slots: Map<string, string | undefined>;
  /** Whether a change of the slot has not reached all of the system yet. */
  isSpreading(slot: string): boolean;
}

export interface EndpointOptions {
  readonly system: System;
  /** Of the tenant, and what a caller has to show. With `createRemoteJWKSet` the keys come from Entra. */
  readonly keys: JSONWebKeySet;
  readonly issuer: string;
  readonly audience: string;
  /** Object id of keyturn's managed identity. */
  readonly caller: string;
}

const Credential = z.object({ id: z.string(), value: z.string() });
const Look = z.object({ credentials: z.array(Credential.partial({ id: true })) });
const One = z.object({ credential: Credential });
const Id = z.object({ credential: Credential.pick({ id: true }) });

export function createExampleEndpoint(options: EndpointOptions): Hono {
  const { system } = options;
  const { slots } = system;
  const app = new Hono();

  app.use(async (context, next) => {
    const token = context.req.header("authorization")?.replace(/^Bearer /, "") ?? "";
    const status = await checkToken(token, options);
    if (status !== 200) return context.body(null, status);
    return await next();
  });

  app.post("/observe", async (context) => {
    const { credentials } = Look.parse(await context.req.json());
    return context.json({
      exists: [...slots.keys()],
      credentials: credentials.map(({ id, value }) => {
        const slot = id ?? [...slots.keys()].find((name) => isEqual(slots.get(name), value));
        if (slot === undefined) return { acceptance: "rejected" };
        if (system.isSpreading(slot)) return { acceptance: "unknown", id: slot };
        return { acceptance: isEqual(slots.get(slot), value) ? "accepted" : "rejected", id: slot };
      }),
    });
  });

  app.post("/apply", async (context) => {
    const { id, value } = One.parse(await context.req.json()).credential;
    if (!slots.has(id)) return context.body(null, 410);
    slots.set(id, value);
    return context.body(null, system.isSpreading(id) ? 202 : 204);
  });

  app.post("/verify", async (context) => {
    const { id, value } = One.parse(await context.req.json()).credential;
    if (!slots.has(id)) return context.body(null, 410);
    if (system.isSpreading(id)) return context.body(null, 202);
    return context.body(null, isEqual(slots.get(id), value) ? 204 : 422);
  });

  app.post("/revoke", async (context) => {
    const { id } = Id.parse(await context.req.json()).credential;
    if (!slots.has(id)) return context.body(null, 410);
    slots.set(id, undefined);
    return context.body(null, system.isSpreading(id) ? 202 : 204);
  });

  // Never the error's text: it could quote what was sent.
  app.onError((error, context) => context.body(null, error instanceof z.ZodError ? 400 : 500));
  return app;
}

/** 401 for a token that is not meant for us, 403 for somebody else's. */
async function checkToken(token: string, options: EndpointOptions): Promise<200 | 401 | 403> {
  const { keys, issuer, audience, caller } = options;
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { issuer, audience });
    return payload["oid"] === caller ? 200 : 403;
  } catch {
    return 401;
  }
}

/** In a time that does not tell how much of the value was right. */
function isEqual(present: string | undefined, value: string): boolean {
  if (present === undefined) return false;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(present), digest(value));
}
