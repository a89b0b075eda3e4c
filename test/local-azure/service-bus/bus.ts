import type { AmqpError, Connection, Receiver, Sender } from "rhea";
import { recordCall, takeFault } from "../faults.ts";
import { isAllowed } from "../roles.ts";
import type { AzureState, FaultRule } from "../state.ts";
import type { Claims, TokenAuthority } from "../tokens.ts";
import type { Alarm } from "./alarm.ts";
import { findQueue, queueId } from "./entities.ts";
import { cutConnection } from "./rhea-internals.ts";

/** What all parts of the running service share. */
export interface Bus {
  readonly state: AzureState;
  readonly tokens: TokenAuthority;
  readonly alarm: Alarm;
  readonly clients: Map<Connection, Client>;
  /** In the order of their turns. */
  readonly consumers: Map<Sender, Consumer>;
  /** To be called after anything that can make a message available; hands out messages later in this turn. */
  changed(): void;
}

/** One AMQP connection. */
export interface Client {
  readonly connection: Connection;
  /** What it may see, by entity path in lower case; put there by `$cbs`. */
  readonly claims: Map<string, Claims>;
  /** Links to answer `$cbs` and `$management` requests on, by link name and target address. */
  readonly replies: Map<string, Sender>;
  /** Entity path of each accepted link. */
  readonly links: Map<Sender | Receiver, string>;
}

/** A link that receives from a queue. */
export interface Consumer {
  readonly sender: Sender;
  readonly client: Client;
  readonly path: string;
}

/** How an operation ended: an HTTP-like status, with an error if it is not below 300. */
export interface Answer {
  readonly status: number;
  readonly error?: AmqpError;
  readonly body?: object;
}

const conditions: Readonly<Record<number, string>> = {
  400: "com.microsoft:argument-error",
  401: "amqp:unauthorized-access",
  403: "amqp:unauthorized-access",
  404: "amqp:not-found",
  408: "com.microsoft:timeout",
  410: "com.microsoft:message-lock-lost",
  413: "amqp:link:message-size-exceeded",
  429: "com.microsoft:server-busy",
  501: "amqp:not-implemented",
  503: "com.microsoft:server-busy",
};

export function refused(status: number, description: string, condition?: string): Answer {
  return {
    status,
    error: { condition: condition ?? conditions[status] ?? "amqp:internal-error", description },
  };
}

/** The SDK knows a missing entity by this text, not by the condition. */
export function notFound(path: string): Answer {
  return refused(404, `The messaging entity '${path}' could not be found.`);
}

/** Why this connection may not do `action` at an entity, or `undefined` if it may. */
export function refusalOf(bus: Bus, client: Client, path: string, action: string): Answer | undefined {
  const claims = client.claims.get(path.toLowerCase());
  if (!claims) return refused(401, `Unauthorized access. No token was put for '${path}'.`);
  const queue = findQueue(bus.state, withoutManagement(path));
  if (!queue) return notFound(path);
  if (isAllowed(bus.state, claims.oid, action, queueId(bus.state, queue.name))) return undefined;
  return refused(401, `Unauthorized access. '${action}' is required at '${path}'.`);
}

export function withoutManagement(path: string): string {
  return path.replace(/\/\$management$/i, "");
}

/**
 * Does an operation with the faults that are switched on for it, and records it. `undefined`: the connection was cut,
 * there is nobody to answer. `act` runs at once unless a fault delays it, so that operations keep their order.
 */
export async function operate(
  bus: Bus,
  client: Client,
  operation: string,
  path: string,
  act: () => Answer | Promise<Answer>,
): Promise<Answer | undefined> {
  const call = `${operation} ${path}`;
  const before = takeFault(bus.state, "service-bus", call, ["before"]);
  if (before?.delay) await bus.state.clock.sleep(before.delay);
  if (before && (before.status || !before.delay)) return end(bus, client, call, before);
  const acted = act();
  const answer = acted instanceof Promise ? await acted : acted;
  const after = takeFault(bus.state, "service-bus", call, ["after", "lost"]);
  if (after?.delay) await bus.state.clock.sleep(after.delay);
  if (after) return end(bus, client, call, after);
  record(bus, client, call, answer.status);
  return answer;
}

/** The same for what has to be answered within the turn; delays are left out. */
export function operateNow(
  bus: Bus,
  client: Client,
  operation: string,
  path: string,
  act: () => Answer,
): Answer | undefined {
  const call = `${operation} ${path}`;
  const before = takeFault(bus.state, "service-bus", call, ["before"]);
  if (before) return end(bus, client, call, before);
  const answer = act();
  const after = takeFault(bus.state, "service-bus", call, ["after", "lost"]);
  if (after) return end(bus, client, call, after);
  record(bus, client, call, answer.status);
  return answer;
}

/** Ends an operation as a fault rule wants it: with an error, or without answer by cutting the connection. */
function end(bus: Bus, client: Client, call: string, rule: FaultRule): Answer | undefined {
  const status = rule.position === "lost" ? undefined : rule.status;
  record(bus, client, call, status ?? 0);
  if (status === 404 && !rule.code) return notFound(call.slice(call.indexOf(" ") + 1));
  if (status) return refused(status, "A fault was switched on for this call.", rule.code);
  cutConnection(client.connection);
  return undefined;
}

function record(bus: Bus, client: Client, call: string, status: number): void {
  const path = call.slice(call.indexOf(" ") + 1).toLowerCase();
  const principalId = client.claims.get(path)?.oid ?? client.claims.get(`${path}/$management`)?.oid;
  recordCall(bus.state, { service: "service-bus", call, status, principalId });
}
