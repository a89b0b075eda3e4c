import type { Timestamp } from "../clock.ts";
import { toFault } from "../errors.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { Action } from "./model/action.ts";
import { dueAt } from "./model/due.ts";
import type { DerivedFacts } from "./model/observation.ts";
import type { DerivedSecret, Snapshot } from "./model/snapshot.ts";
import { observeDerived } from "./observe/derived.ts";
import type { RotationPorts } from "./ports.ts";
import { observeAndDecide } from "./reconcile.ts";
import { describeAction } from "./report/describe.ts";

/** One secret as `keyturn status` shows it: what is there, and what would happen next. No values. */
export interface SecretStatus {
  /** `vault/name` */
  readonly secret: string;
  readonly rotator: string;
  readonly version: string | undefined;
  readonly createdAt: Timestamp | undefined;
  readonly expiresAt: Timestamp | undefined;
  readonly dueAt: Timestamp | undefined;
  /** `ok`, `due`, `open` (a rotation is under way), `needs-human`, or `unreachable`. */
  readonly state: "ok" | "due" | "open" | "needs-human" | "unreachable";
  readonly rotation: string | undefined;
  /** One sentence: the next step, or what it waits for. */
  readonly next: string;
  /** What is derived from it, as it stands with the latest version. */
  readonly derived?: readonly DerivedStatus[];
}

export interface DerivedStatus {
  /** `vault/name` */
  readonly secret: string;
  readonly state: DerivedFacts["state"];
  readonly version: string | undefined;
  readonly createdAt: Timestamp | undefined;
  readonly expiresAt: Timestamp | undefined;
}

/** Looks at one secret and decides as the worker would, without acting. */
export async function statusOf(
  secret: SecretPolicy,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<SecretStatus> {
  try {
    const { observed, action } = await observeAndDecide(secret, undefined, ports, signal);
    if (secret.derived.length === 0) return row(secret, observed, action);
    // Not every decision needs this look.
    const { derived } = await observeDerived(secret, observed, ports, signal);
    return { ...row(secret, observed, action), derived: derived.map(derivedRow) };
  } catch (error) {
    const { code, message } = toFault(error);
    return { ...nothing(secret), state: "unreachable", next: `${code}: ${message}` };
  }
}

function row(secret: SecretPolicy, { facts }: Snapshot, action: Action): SecretStatus {
  const next = describeAction(action).text;
  if (facts.latest.kind !== "readable") return { ...nothing(secret), state: stateOf(action), next };
  const { version, createdAt, expiresAt, record } = facts.latest;
  return {
    secret: secret.key,
    rotator: secret.rotator.id,
    version,
    createdAt,
    expiresAt,
    dueAt: dueAt(facts.latest, secret),
    state: stateOf(action),
    rotation: record.rotation,
    next,
  };
}

function derivedRow({ policy, state, stored }: DerivedSecret): DerivedStatus {
  const { version, createdAt, expiresAt } = stored ?? {};
  return { secret: policy.key, state, version, createdAt, expiresAt };
}

function stateOf(action: Action): SecretStatus["state"] {
  if (action.kind === "stop") return "needs-human";
  if (action.kind === "idle") return "ok";
  return action.kind === "write-intent" ? "due" : "open";
}

function nothing(secret: SecretPolicy): Omit<SecretStatus, "state" | "next"> {
  return {
    secret: secret.key,
    rotator: secret.rotator.id,
    version: undefined,
    createdAt: undefined,
    expiresAt: undefined,
    dueAt: undefined,
    rotation: undefined,
  };
}
