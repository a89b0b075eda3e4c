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
import { describeAction } from "../src/rotation/describe.ts";
import { type Action, nextAction } from "../src/rotation/next-action.ts";
import {
  type Observed,
  type RotationPorts,
  lookAtDependents,
  lookAtProvider,
  observe,
} from "../src/rotation/observe.ts";
import type { Request } from "../src/rotation/state.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRoll } from "./roll-dependents.ts";

/** How long to leave a provider that has taken a credential but does not accept it yet. */
const propagationPause = 5_000;

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
  let last: Action["kind"] | undefined;
  for (;;) {
    run.signal.throwIfAborted();
    const { observed, action } = await decide(run);
    if (!isAct(action)) return conclude(run, observed, action);
    // The same step twice in a row: it was taken, and the world does not show it yet.
    if (action.kind === last) return waitForProvider(run);
    last = action.kind;
    const rotation = rotationOf(observed, action);
    const result = await perform(run, observed, action, rotation);
    if (result === "propagating") return waitForProvider(run);
    if (result === "done") await tell(run, action, rotation);
  }
}

async function decide({ secret, data, ports, signal }: Run): Promise<{ observed: Observed; action: Action }> {
  return inSpan("look and decide", { [attribute.secret]: secret.key }, async (span) => {
    let observed = await observe(secret, requestOf(data), ports, signal);
    let action = nextAction(observed.facts, secret);
    while (action.kind === "look") {
      const look = action.at === "provider" ? lookAtProvider : lookAtDependents;
      observed = await look(secret, observed, ports, signal);
      action = nextAction(observed.facts, secret);
    }
    span.setAttribute(attribute.action, action.kind);
    return { observed, action };
  });
}

async function perform(
  { secret, ports, signal }: Run,
  observed: Observed,
  action: Act,
  rotation: string,
): Promise<"done" | "superseded" | "propagating"> {
  const attributes = { [attribute.secret]: secret.key, [attribute.rotation]: rotation };
  try {
    await inSpan(action.kind, attributes, () => act(action, secret, observed, ports, signal));
  } catch (error) {
    // Somebody else wrote a version between our look and our write: look again, at once.
    if (isFault(error, "superseded")) return "superseded";
    if (isFault(error, "propagation-pending")) return "propagating";
    throw error;
  }
  ports.log.info({ secret: secret.key, rotation, action: action.kind }, "rotation step done");
  return "done";
}

async function tell({ context, secret }: Run, action: Action, rotation: string): Promise<void> {
  await context.progress({ ...describeAction(action), secret: secret.key, rotation });
}

async function conclude(run: Run, observed: Observed, action: Exclude<Action, Act>): Promise<Outcome> {
  const { secret, context } = run;
  const rotation = rotationOf(observed, action);
  switch (action.kind) {
    case "stop":
      throw new Fault(action.code, action.question, { secret: secret.key });
    case "roll":
      await tell(run, action, rotation);
      await queueRoll(context.enqueue, secret.key);
      return { done: "rolling" };
    case "wait":
      if (action.reason === "provider")
        return { again: action.until, why: "the provider cannot be asked now" };
      await tell(run, action, rotation);
      await remind(run, action.until);
      return { done: "overlap" };
    case "idle":
      await tell(run, action, rotation);
      return { done: action.reason };
    case "look":
      throw new Fault("internal-error", "nothing more to look at", { secret: secret.key });
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

/** A nudge, not a promise: the sweep finds what is due as well. */
async function remind({ secret, data, ports, context }: Run, at: number): Promise<void> {
  const { requestId } = data;
  const delay = Math.max(0, at - ports.clock.now());
  await queueLook(context.enqueue, secret, { trigger: "nudge", requestId }, delay);
}

function waitForProvider({ ports }: Run): Outcome {
  return { again: ports.clock.now() + propagationPause, why: "waiting until the provider shows the change" };
}

function requestOf({ trigger, mode, requestId, version }: RotateSecret): Request {
  return { trigger, mode, requestId, version };
}

/** The rotation an action belongs to: the open one, or the one that would replace latest. */
function rotationOf({ facts }: Observed, action: Action): string {
  if ("rotation" in action) return action.rotation;
  if (facts.latest.kind !== "readable") return "";
  const { lineage, record, rotation } = facts.latest;
  return lineage === "ours" && record.rotation && record.intent?.mode !== "routine"
    ? record.rotation
    : rotation;
}

function isAct(action: Action): action is Act {
  return !["look", "roll", "wait", "idle", "stop"].includes(action.kind);
}
