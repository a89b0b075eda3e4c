import type { Log } from "../src/log.ts";
import { Fault, isFault } from "../src/errors.ts";
import type { SecretPolicy } from "../src/policy/policy.ts";
import { findSecret } from "../src/policy/lookup.ts";
import {
  type Enqueue,
  type JobContext,
  type JobDefinition,
  type Outcome,
  RotateSecret,
} from "../src/queue/contracts.ts";
import { type Act, act } from "../src/rotation/act.ts";
import { countFailure, countRefusal } from "../src/rotation/write-record.ts";
import { describeAction, rotationOf } from "../src/rotation/describe.ts";
import { lookAndDecide } from "../src/rotation/decide.ts";
import type { Action } from "../src/rotation/action.ts";
import type { Observed, RotationPorts } from "../src/rotation/observed.ts";
import type { Request } from "../src/rotation/state.ts";
import { type AuditAction, createAudit } from "../src/telemetry/audit.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRoll } from "./roll-dependents.ts";

/** How long to leave a provider that has taken a credential but does not accept it yet. */
const propagationPause = 5_000;

/** Nothing is given up sooner, whatever a rotator promises. */
const leastPatience = 10 * 60_000;

export interface RotateSecretPorts extends RotationPorts {
  readonly log: Log;
}

/**
 * Looks at one secret, decides, acts, and looks again, until there is nothing to do now. Whatever queued it, an event,
 * a person, the sweep, or our own reminder, the work is the same: go on from what the world shows.
 */
export function createRotateSecret(ports: RotateSecretPorts): JobDefinition<"rotate-secret"> {
  return {
    stage: "rotate-secret",
    data: RotateSecret,
    attempts: 8,
    run(data, context) {
      const secret = findSecret(ports.policy, data.vault, data.name);
      if (!secret) throw new Fault("not-in-policy", `the policy does not name ${data.vault}/${data.name}`);
      const attributes = { [attribute.secret]: secret.key, [attribute.trigger]: data.trigger };
      return inSpan(`rotate ${secret.key}`, attributes, () =>
        context.withLock(lockOf(secret), (signal) => work({ secret, data, ports, context, signal })),
      );
    },
  };
}

/** What a decision says when there is nothing to do now. */
type Pause = Exclude<Action, Act | { kind: "look" }>;

interface Run {
  readonly secret: SecretPolicy;
  readonly data: RotateSecret;
  readonly ports: RotateSecretPorts;
  readonly context: JobContext;
  readonly signal: AbortSignal;
}

/** The lock is on what the target owns at its provider, or on the secret where there is no provider. */
function lockOf({ rotator, key }: SecretPolicy): string {
  return rotator.owns[0] ?? key;
}

async function work(run: Run): Promise<Outcome> {
  let last: string | undefined;
  for (;;) {
    run.signal.throwIfAborted();
    const { observed, action } = await decide(run);
    if (!isAct(action)) return conclude(run, observed, action);
    // The same step twice in a row: it was taken, and the world does not show it yet.
    const step = `${action.kind} ${subjectOf(run, action)}`;
    if (step === last) return waitForProvider(run, observed, action);
    last = step;
    const rotation = rotationOf(observed.facts, action);
    const result = await perform(run, observed, action, rotation);
    if (result === "propagating") return waitForProvider(run, observed, action);
    if (result === "done") await tell(run, action, rotation);
  }
}

/** `vault/name` of the secret that is written to. */
function subjectOf({ secret }: Run, action: Act): string {
  return action.kind === "publish-child" ? action.child : secret.key;
}

function decide({ secret, data, ports, signal }: Run) {
  return inSpan("look and decide", { [attribute.secret]: secret.key }, async (span) => {
    const decision = await lookAndDecide(secret, requestOf(data), ports, signal);
    span.setAttribute(attribute.action, decision.action.kind);
    return decision;
  });
}

async function perform(
  run: Run,
  observed: Observed,
  action: Act,
  rotation: string,
): Promise<"done" | "superseded" | "propagating"> {
  const { secret, ports, signal } = run;
  const attributes = { [attribute.secret]: subjectOf(run, action), [attribute.rotation]: rotation };
  try {
    await inSpan(action.kind, attributes, () => act(action, secret, observed, ports, signal));
  } catch (error) {
    // Somebody else wrote a version between our look and our write: look again, at once.
    if (isFault(error, "superseded")) return "superseded";
    if (isFault(error, "propagation-pending")) return "propagating";
    if (isFault(error) && error.kind === "refused") return refused(run, observed, action, error);
    throw error;
  }
  record(run, observed, action, rotation);
  return "done";
}

/**
 * A step that the other side refused for good is counted where every replica sees it, before the job is given up: so a
 * rotation that cannot succeed ends in quarantine, however often it is asked for. A candidate that is refused in use is
 * counted by itself; after some more tries it is made anew.
 */
async function refused(run: Run, observed: Observed, action: Act, fault: Fault): Promise<"done"> {
  const { secret, ports, signal } = run;
  const scene = { secret, observed, ports, signal };
  if (fault.code === "credential-rejected") await countRefusal(scene);
  // The vault will not take this version from us: trying again would only leave a single credential broken for longer.
  const isFinal = action.kind === "publish" && fault.code !== "credential-rejected";
  await countFailure(scene, fault.code, isFinal);
  throw fault;
}

/** In the words of the audit; a repair is an apply that came after the publish. */
const audited: Readonly<Record<Act["kind"], AuditAction>> = {
  "write-intent": "intent",
  park: "park",
  mint: "mint",
  apply: "apply",
  repair: "apply",
  publish: "publish",
  "publish-child": "publish",
  "settle-pending": "prove",
  "reopen-pending": "prove",
  revoke: "revoke",
  close: "disable",
  "set-back": "roll-back",
  restore: "roll-back",
  "drop-intent": "resolve",
};

function record(run: Run, { facts }: Observed, action: Act, rotation: string): void {
  const { data, ports } = run;
  const latest = facts.latest.kind === "readable" ? facts.latest : undefined;
  createAudit(ports.log)({
    action: audited[action.kind],
    outcome: "done",
    secret: subjectOf(run, action),
    rotation,
    trigger: data.trigger,
    mode: data.mode,
    request: data.requestId,
    actor: data.actor,
    reason: data.reason,
    from: latest?.record.from,
    to: latest?.version,
    credential: latest?.credentialId,
  });
}

async function tell({ context, secret }: Run, action: Action, rotation: string): Promise<void> {
  await context.progress({ ...describeAction(action), secret: secret.key, rotation });
}

async function conclude(run: Run, observed: Observed, action: Pause): Promise<Outcome> {
  const { secret, context } = run;
  const rotation = rotationOf(observed.facts, action);
  switch (action.kind) {
    case "stop":
      throw new Fault(action.code, action.question, { secret: secret.key });
    case "roll":
      await tell(run, action, rotation);
      await queueRoll(context.enqueue, secret.key);
      return { done: "rolling" };
    case "wait":
      return action.reason === "provider"
        ? { again: action.until, why: "the provider cannot be asked now" }
        : waitForOverlap(run, action, rotation);
    case "idle":
      await tell(run, action, rotation);
      return { done: action.reason };
    default:
      return action satisfies never;
  }
}

/** Queues a look at one secret; a second one from the same kind of cause is dropped while the first is alive. */
export function queueLook(
  enqueue: Enqueue,
  { vault, name, key }: SecretPolicy,
  cause: Pick<RotateSecret, "trigger" | "requestId" | "version">,
  delay = 0,
): Promise<string> {
  const data = { vault: vault.name, name, mode: "routine" as const, ...cause };
  return enqueue("rotate-secret", data, { dedupe: `${cause.trigger} ${key}`.toLowerCase(), delay });
}

/** The reminder is a nudge, not a promise: the sweep finds what is due as well. It waits in its own place in the queue. */
async function waitForOverlap(
  run: Run,
  action: Pause & { kind: "wait" },
  rotation: string,
): Promise<Outcome> {
  const { secret, data, ports, context } = run;
  if (data.trigger === "nudge") return { again: action.until, why: "the old credential may not retire yet" };
  await tell(run, action, rotation);
  const delay = Math.max(0, action.until - ports.clock.now());
  await queueLook(context.enqueue, secret, { trigger: "nudge", requestId: data.requestId }, delay);
  return { done: "overlap" };
}

/** Looks again soon, as long as the provider's own delay can explain it; after that the candidate counts as refused. */
async function waitForProvider(run: Run, observed: Observed, action: Act): Promise<Outcome> {
  const { secret, ports } = run;
  const now = ports.clock.now();
  const since = observed.pending?.stored.createdAt ?? now;
  if (now >= since + Math.max(secret.rotator.propagation, leastPatience)) {
    const message = `the provider does not accept the candidate for ${secret.key}, longer than it ever takes to spread`;
    await refused(run, observed, action, new Fault("credential-rejected", message, { secret: secret.key }));
  }
  return { again: now + propagationPause, why: "waiting until the provider shows the change" };
}

function requestOf({ trigger, mode, requestId, version }: RotateSecret): Request {
  return { trigger, mode, requestId, version };
}

function isAct(action: Act | Pause): action is Act {
  return !["roll", "wait", "idle", "stop"].includes(action.kind);
}
