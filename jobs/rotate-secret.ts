import { Fault, isFault } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { findSecret } from "../src/policy/lookup.ts";
import type { SecretPolicy } from "../src/policy/policy.ts";
import {
  type Enqueue,
  type JobContext,
  type JobDefinition,
  type Outcome,
  RotateSecret,
} from "../src/queue/contracts.ts";
import { act } from "../src/rotation/act/act.ts";
import { countFailure, countRefusal } from "../src/rotation/act/failures.ts";
import type { Act, Action } from "../src/rotation/model/action.ts";
import type { Request } from "../src/rotation/model/observation.ts";
import { rotationOf } from "../src/rotation/model/predicates.ts";
import type { Snapshot } from "../src/rotation/model/snapshot.ts";
import type { RotationPorts } from "../src/rotation/ports.ts";
import { observeAndDecide } from "../src/rotation/reconcile.ts";
import { recordStep } from "../src/rotation/report/audit.ts";
import { describeAction } from "../src/rotation/report/describe.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRoll } from "./roll-dependents.ts";

/** How long to leave a provider that has taken a credential but does not accept it yet. */
const propagationPause = 5_000;

/** Nothing is given up sooner, whatever a rotator promises. */
const leastPatience = 10 * 60_000;

/** How long to leave a retirement alone while the workers do not agree on the policy. */
const disagreementPause = 10_000;

export interface RotateSecretPorts extends RotationPorts {
  readonly log: Log;
  /** Whether all live workers act by this one's policy. @throws Fault `unavailable` */
  agreed(): Promise<boolean>;
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
type Pause = Exclude<Action, Act | { kind: "observe" }>;

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
  let request: Request = run.data;
  for (;;) {
    run.signal.throwIfAborted();
    const { observed, action } = await decide(run, request);
    if (!isAct(action)) return conclude(run, observed, action);
    // The same step twice in a row: it was taken, and the world does not show it yet.
    const step = `${action.kind} ${subjectOf(run, action)}`;
    if (step === last) return waitForProvider(run, observed, action);
    last = step;
    if (ends(action) && !(await mayEnd(run, observed))) {
      const again = run.ports.clock.now() + disagreementPause;
      return { again, why: "another worker acts by another policy; nothing is retired meanwhile" };
    }
    const rotation = rotationOf(observed.facts, action);
    const result = await perform(run, observed, action, rotation);
    if (result === "propagating") return waitForProvider(run, observed, action);
    if (result !== "done") continue;
    await tell(run, action, rotation);
    if (isAnswered(request, action)) request = { ...request, trigger: "nudge", mode: "routine" };
  }
}

function ends({ kind }: Act): boolean {
  return kind === "revoke" || kind === "disable" || kind === "close";
}

/** A newer policy may know of readers that this one does not. A leak waits for nobody. */
async function mayEnd({ ports }: Run, { facts: { latest } }: Snapshot): Promise<boolean> {
  const { hold, intent } = latest.kind === "readable" ? latest.record : {};
  return hold?.leaked === true || intent?.mode === "compromised" || (await ports.agreed());
}

/** `vault/name` of the secret that is written to. */
function subjectOf({ secret }: Run, action: Act): string {
  return action.kind === "publish-derived" ? action.child : secret.key;
}

/** What a person has named is done once; the rest follows from what can be seen. */
function isAnswered({ mode }: Request, { kind }: Act): boolean {
  return (mode === "confirm" && kind === "waive") || (mode === "revoke" && kind === "revoke");
}

function decide({ secret, ports, signal }: Run, request: Request) {
  return inSpan("look and decide", { [attribute.secret]: secret.key }, async (span) => {
    const decision = await observeAndDecide(secret, request, ports, signal);
    span.setAttribute(attribute.action, decision.action.kind);
    return decision;
  });
}

async function perform(
  run: Run,
  observed: Snapshot,
  action: Act,
  rotation: string,
): Promise<"done" | "superseded" | "propagating"> {
  const { secret, data, ports, signal } = run;
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
  recordStep(ports.log, {
    action,
    subject: subjectOf(run, action),
    rotation,
    facts: observed.facts,
    cause: data,
  });
  return "done";
}

/**
 * A step that the other side refused for good is counted where every replica sees it, before the job is given up: so a
 * rotation that cannot succeed ends in quarantine, however often it is asked for. A candidate that is refused in use is
 * counted by itself; after some more tries it is made anew.
 */
async function refused(run: Run, observed: Snapshot, action: Act, fault: Fault): Promise<"done"> {
  const { secret, ports, signal } = run;
  const scene = { secret, observed, ports, signal };
  if (fault.code === "credential-rejected") await countRefusal(scene);
  // The readers of the parent are not kept waiting for a derived secret that cannot be written.
  if (action.kind === "publish-derived") await queueRoll(run.context.enqueue, secret.key);
  // The vault will not take this version from us: trying again would only leave a single credential broken for longer.
  const isFinal = action.kind === "publish" && fault.code !== "credential-rejected";
  await countFailure(scene, fault.code, isFinal);
  throw fault;
}

async function tell({ context, secret }: Run, action: Action, rotation: string): Promise<void> {
  await context.progress({ ...describeAction(action), secret: secret.key, rotation });
}

async function conclude(run: Run, observed: Snapshot, action: Pause): Promise<Outcome> {
  const { secret } = run;
  const rotation = rotationOf(observed.facts, action);
  switch (action.kind) {
    case "stop":
      throw new Fault(action.code, action.question, { secret: secret.key });
    case "roll":
      await tell(run, action, rotation);
      await roll(run, observed);
      return { done: "rolling" };
    case "wait":
      if (action.reason === "overlap" || action.reason === "slot") await roll(run, observed);
      return waitFor(run, action, rotation);
    case "idle":
      await tell(run, action, rotation);
      return { done: action.reason };
    default:
      return action satisfies never;
  }
}

/** The roller that has sent us knows of the groups that gate nothing. */
async function roll({ context, data, secret }: Run, { facts }: Snapshot): Promise<void> {
  const { unconfirmed = [], others = [] } = facts.dependents ?? {};
  const isNews = others.length > 0 && data.trigger !== "confirmed";
  if (unconfirmed.length > 0 || isNews) await queueRoll(context.enqueue, secret.key);
}

/** Queues a look at one secret; a second one from the same kind of cause is dropped while the first is alive. */
export function queueRotate(
  enqueue: Enqueue,
  { vault, name, key }: SecretPolicy,
  cause: Pick<RotateSecret, "trigger" | "requestId" | "version">,
  delay = 0,
): Promise<string> {
  const data = { vault: vault.name, name, mode: "routine" as const, ...cause };
  return enqueue("rotate-secret", data, { dedupe: `${cause.trigger} ${key}`.toLowerCase(), delay });
}

async function waitFor(run: Run, action: Pause & { kind: "wait" }, rotation: string): Promise<Outcome> {
  if (action.reason === "provider") return { again: action.until, why: "the provider cannot be asked now" };
  if (action.reason !== "down") return waitForOverlap(run, action, rotation);
  await tell(run, action, rotation);
  return { again: action.until, why: "container groups that read it are down" };
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
  await queueRotate(context.enqueue, secret, { trigger: "nudge", requestId: data.requestId }, delay);
  return { done: "overlap" };
}

/** Looks again soon, as long as the provider's own delay can explain it; after that the candidate counts as refused. */
async function waitForProvider(run: Run, observed: Snapshot, action: Act): Promise<Outcome> {
  const { secret, ports } = run;
  const now = ports.clock.now();
  const since = observed.pending?.stored.createdAt ?? now;
  if (now >= since + Math.max(secret.rotator.propagation, leastPatience)) {
    const message = `the provider does not accept the candidate for ${secret.key}, longer than it ever takes to spread`;
    await refused(run, observed, action, new Fault("credential-rejected", message, { secret: secret.key }));
  }
  return { again: now + propagationPause, why: "waiting until the provider shows the change" };
}

function isAct(action: Act | Pause): action is Act {
  return !["roll", "wait", "idle", "stop"].includes(action.kind);
}
