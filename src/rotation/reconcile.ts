import type { Millis } from "../clock.ts";
import { Fault, isFault } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { Request } from "../request.ts";
import { attribute } from "../telemetry/names.ts";
import { inSpan } from "../telemetry/span.ts";
import { act } from "./act/act.ts";
import { countFailure, countRefusal } from "./act/failures.ts";
import { nextAction } from "./decide/next-action.ts";
import { type Act, type Action, isAct, type Pause } from "./model/action.ts";
import { rotationOf } from "./model/predicates.ts";
import type { Snapshot } from "./model/snapshot.ts";
import { observeDependents } from "./observe/dependents.ts";
import { observeDerived } from "./observe/derived.ts";
import { observeProvider } from "./observe/provider.ts";
import { observeSecret } from "./observe/secret.ts";
import type { RotationPorts } from "./ports.ts";
import { type Cause, recordStep } from "./report/audit.ts";

/** How long to leave a provider that has taken a credential but does not accept it yet. */
const propagationPause: Millis = 5_000;

/** Nothing is given up sooner, whatever a rotator promises. */
const leastPatience: Millis = 10 * 60_000;

/** How long to leave a retirement alone while the workers do not agree on the policy. */
const disagreementPause: Millis = 10_000;

export interface ReconcilePorts extends RotationPorts {
  readonly log: Log;
  /** Whether all live workers act by this one's policy. @throws Fault `unavailable` */
  agreed(): Promise<boolean>;
}

/** One secret to be brought as far as it can be now. */
export interface Reconciliation {
  readonly secret: SecretPolicy;
  /** What the job asks for, and who asked. */
  readonly cause: Cause & Request;
  readonly ports: ReconcilePorts;
  readonly signal: AbortSignal;
  /** Called after each act that was done. */
  done(action: Act, rotation: string): Promise<void>;
  /** Called when an act has failed for good, before its fault is thrown. */
  failed(action: Act): Promise<void>;
}

/** Why there is nothing to do now, and the snapshot that says so. */
export interface Conclusion {
  readonly action: Pause;
  readonly snapshot: Snapshot;
  readonly rotation: string;
}

const observers = { provider: observeProvider, derived: observeDerived, dependents: observeDependents };

/** What to do now about one secret, and the snapshot that says so. Observes only as much as the decision needs. */
export async function observeAndDecide(
  secret: SecretPolicy,
  request: Request | undefined,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<{ observed: Snapshot; action: Exclude<Action, { kind: "observe" }> }> {
  const rules = { ...secret, deadline: ports.policy.rollout.deadline };
  let observed = await observeSecret(secret, request, ports, signal);
  for (;;) {
    const action = nextAction(observed.facts, rules);
    if (action.kind !== "observe") return { observed, action };
    observed = await observers[action.what](secret, observed, ports, signal);
  }
}

/**
 * Observes, decides and acts until there is nothing to do now. Whatever asked for it, the work is the same: go on from
 * what the world shows.
 * @throws Fault that an act ended with, after it was counted on the secret if it is final
 */
export async function reconcile(run: Reconciliation): Promise<Conclusion> {
  let request: Request = run.cause;
  let last: string | undefined;
  for (;;) {
    run.signal.throwIfAborted();
    const { observed, action } = await decide(run, request);
    const rotation = rotationOf(observed.facts, action);
    const pause = (reason: "propagation" | "agreement", after: Millis): Conclusion => ({
      action: { kind: "wait", until: run.ports.clock.now() + after, reason },
      snapshot: observed,
      rotation,
    });
    if (!isAct(action)) return { action, snapshot: observed, rotation };
    // The same step twice in a row: it was done, and the world does not show it yet.
    const step = `${action.kind} ${subjectOf(run, action)}`;
    const isRepeated = step === last;
    last = step;
    if (!isRepeated && ends(action) && !(await mayEnd(run, observed)))
      return pause("agreement", disagreementPause);
    const result = isRepeated ? "propagating" : await perform(run, observed, action, rotation);
    if (result === "propagating") {
      await spreads(run, observed, action);
      return pause("propagation", propagationPause);
    }
    if (result === "superseded") continue;
    await run.done(action, rotation);
    if (isAnswered(request, action)) request = { ...request, trigger: "nudge", mode: "routine" };
  }
}

/** `vault/name` of the secret that is written to. */
function subjectOf({ secret }: Pick<Reconciliation, "secret">, action: Action): string {
  return action.kind === "publish-derived" ? action.derived : secret.key;
}

function decide({ secret, ports, signal }: Reconciliation, request: Request) {
  return inSpan("observe and decide", { [attribute.secret]: secret.key }, async (span) => {
    const decision = await observeAndDecide(secret, request, ports, signal);
    span.setAttribute(attribute.action, decision.action.kind);
    return decision;
  });
}

function ends({ kind }: Act): boolean {
  return kind === "revoke" || kind === "disable" || kind === "close";
}

/** A newer policy may know of readers that this one does not. A leak waits for nobody. */
async function mayEnd({ ports }: Reconciliation, { facts: { latest } }: Snapshot): Promise<boolean> {
  const { hold, intent } = latest.kind === "readable" ? latest.record : {};
  return hold?.leaked === true || intent?.mode === "compromised" || (await ports.agreed());
}

/** What a person has named is done once; the rest follows from what can be observed. */
function isAnswered({ mode }: Request, { kind }: Act): boolean {
  return (mode === "confirm" && kind === "waive") || (mode === "revoke" && kind === "revoke");
}

async function perform(
  run: Reconciliation,
  observed: Snapshot,
  action: Act,
  rotation: string,
): Promise<"done" | "superseded" | "propagating"> {
  const { secret, cause, ports, signal } = run;
  const subject = subjectOf(run, action);
  const attributes = { [attribute.secret]: subject, [attribute.rotation]: rotation };
  try {
    await inSpan(action.kind, attributes, () => act(action, secret, observed, ports, signal));
  } catch (error) {
    // Somebody else wrote a version between our read and our write: observe again, at once.
    if (isFault(error, "superseded")) return "superseded";
    if (isFault(error, "propagation-pending")) return "propagating";
    if (isFault(error) && error.kind === "terminal") await countFinal(run, observed, action, error);
    throw error;
  }
  recordStep(ports.log, { action, subject, rotation, facts: observed.facts, cause });
  return "done";
}

/**
 * An act that the service or the provider has rejected for good is counted where every replica sees it, before the job
 * is given up: so a rotation that cannot succeed ends in quarantine, however often it is asked for. A candidate that is
 * rejected in use is counted on its own; after some more tries it is made anew.
 */
async function countFinal(run: Reconciliation, observed: Snapshot, action: Act, fault: Fault): Promise<void> {
  const scene = { secret: run.secret, observed, ports: run.ports, signal: run.signal };
  if (fault.code === "credential-rejected") await countRefusal(scene);
  await run.failed(action);
  // The vault will not take this version from us: trying again would only leave a single credential broken for longer.
  const isFinal = action.kind === "publish" && fault.code !== "credential-rejected";
  await countFailure(scene, fault.code, isFinal);
}

/** A provider's own delay explains only so much; after that the candidate counts as rejected. @throws Fault */
async function spreads(run: Reconciliation, observed: Snapshot, action: Act): Promise<void> {
  const { secret, ports } = run;
  const now = ports.clock.now();
  const since = observed.pending?.stored.createdAt ?? now;
  if (now < since + Math.max(secret.rotator.propagation, leastPatience)) return;
  const message = `the provider does not accept the candidate for ${secret.key}, longer than it ever takes to spread`;
  const fault = new Fault("credential-rejected", message, { secret: secret.key });
  await countFinal(run, observed, action, fault);
  throw fault;
}
