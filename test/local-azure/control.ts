import { Hono } from "hono";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { azureError, Refusal } from "./http.ts";
import type { ServiceBusServer } from "./service-bus/server.ts";
import type { AzureState, EmitVaultEvent, FaultRule, HttpService, VaultEvent } from "./state.ts";

export interface ControlParts {
  readonly state: AzureState;
  readonly emit: EmitVaultEvent;
  readonly serviceBus: Pick<ServiceBusServer, "deliver" | "dropConnections">;
}

const services = [
  "identity",
  "authority",
  "graph",
  "key-vault",
  "data-plane",
  "resource-manager",
  "service-bus",
  "postgres-login",
  "event-grid",
] as const satisfies readonly FaultRule["service"][];

const NewFault = z.strictObject({
  service: z.enum(services),
  match: z.string().refine(isPattern, "must be a regular expression").default(""),
  position: z.enum(["before", "after", "lost"]).default("before"),
  status: z.int().min(100).max(599).optional(),
  retryAfter: z.number().nonnegative().optional(),
  delay: z.number().nonnegative().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  times: z.int().min(-1).default(1),
});

const NewLimits = z.strictObject({ on: z.boolean() });

const VaultEventRequest = z.strictObject({
  type: z.enum(["SecretNewVersionCreated", "SecretNearExpiry", "SecretExpired"]),
  vault: z.string(),
  name: z.string(),
  version: z.string().optional(),
});

const MessageRequest = z.strictObject({
  queue: z.string(),
  /** A text goes as it is, anything else as its JSON. */
  body: z.unknown(),
  messageId: z.string().optional(),
  contentType: z.string().optional(),
  subject: z.string().optional(),
  properties: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

const help = `The local Azure's control endpoint.

PUT    /faults        {service, match?, position?, status?, retryAfter?, delay?, code?, message?, times?} -> 201 {id, ...}
                      service:  ${services.join(" | ")}
                      match:    regular expression over "METHOD /path" or "operation entity"
                      position: before (nothing happens) | after (it happened, other answer) | lost (it happened, cut)
                      status:   of the answer; without one the connection is cut; delay in ms, retryAfter in s
                      times:    how often, default 1, -1 = until removed
GET    /faults        the rules that are set
DELETE /faults[/id]   removes all, or one
GET    /state         everything; secret values only with ?values=1
POST   /events        {type: SecretNearExpiry | SecretExpired | SecretNewVersionCreated, vault, name, version?}: an event
                      through the subscriptions of the vault, or a message straight into a queue:
                      {queue, body, messageId?, contentType?, subject?, properties?}
POST   /amqp/drop     cuts all AMQP connections
PUT    /limits        {on: true | false}: documented rate limits
`;

/** What tests, demos and people turn the local Azure's knobs with. No authentication: loopback only. */
export function createControl({ state, emit, serviceBus }: ControlParts): HttpService {
  const app = new Hono({ strict: false });
  app.get("/", (context) => context.text(help));
  addFaultRoutes(app, state);
  app.get("/state", (context) => {
    const withValues = context.req.query("values") === "1";
    return context.body(JSON.stringify(state, toPlain(withValues), 2), 200, {
      "content-type": "application/json",
    });
  });
  app.put("/limits", async (context) => {
    const { on } = await readJson(context.req.raw, NewLimits);
    state.limits = on;
    return context.json({ on });
  });
  app.post("/events", async (context) => {
    const event = await readJson(context.req.raw, z.union([VaultEventRequest, MessageRequest]));
    if ("type" in event) emit(vaultEvent(state, event));
    else deliver(state, serviceBus, event);
    return context.body(null, 202);
  });
  app.post("/amqp/drop", (context) => {
    serviceBus.dropConnections();
    return context.body(null, 204);
  });
  app.notFound((context) =>
    azureError(404, "NotFound", `There is no ${context.req.path}; GET / tells what is.`),
  );
  app.onError((error) => {
    if (error instanceof Refusal) return error.response();
    throw error;
  });
  return async (request) => await app.fetch(request);
}

function addFaultRoutes(app: Hono, state: AzureState): void {
  app.get("/faults", (context) => context.json(state.faults));
  app.put("/faults", async (context) => {
    const rule: FaultRule = { id: randomUUID(), ...(await readJson(context.req.raw, NewFault)) };
    state.faults.push(rule);
    return context.json(rule, 201);
  });
  app.delete("/faults", (context) => {
    state.faults.length = 0;
    return context.body(null, 204);
  });
  app.delete("/faults/:id", (context) => {
    const index = state.faults.findIndex((rule) => rule.id === context.req.param("id"));
    if (index < 0) throw new Refusal(404, "NotFound", `There is no fault ${context.req.param("id")}.`);
    state.faults.splice(index, 1);
    return context.body(null, 204);
  });
}

function deliver(
  state: AzureState,
  serviceBus: ControlParts["serviceBus"],
  { queue, body, ...rest }: z.infer<typeof MessageRequest>,
): void {
  if (!state.queues.has(queue)) throw new Refusal(400, "BadRequest", `There is no queue ${queue}.`);
  serviceBus.deliver(queue, { body: typeof body === "string" ? body : JSON.stringify(body), ...rest });
}

function vaultEvent(state: AzureState, event: z.infer<typeof VaultEventRequest>): VaultEvent {
  const vault = state.vaults.get(event.vault);
  const secret = vault?.secrets.get(event.name.toLowerCase());
  const version = event.version
    ? secret?.versions.find((one) => one.version === event.version)
    : secret?.versions.at(-1);
  if (!vault || !secret || !version) {
    throw new Refusal(
      400,
      "BadRequest",
      `There is no secret ${event.vault}/${event.name} with that version.`,
    );
  }
  return { type: `Microsoft.KeyVault.${event.type}`, vault, name: secret.name, version };
}

/** Maps as objects, message bodies as text, secret values masked. */
function toPlain(withValues: boolean) {
  return function replace(this: unknown, key: string, value: unknown): unknown {
    if (value instanceof Map) return Object.fromEntries(value);
    if (value instanceof Uint8Array) return Buffer.from(value).toString();
    if (key === "value" && !withValues) return "[secret]";
    return value;
  };
}

async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await request.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new Refusal(400, "BadRequest", z.prettifyError(parsed.error));
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, "i") instanceof RegExp;
  } catch {
    return false;
  }
}
