import { Fault } from "../src/errors.ts";
import { findSecret } from "../src/policy/lookup.ts";
import type { SecretPolicy } from "../src/policy/policy.ts";
import {
  type Enqueue,
  type JobContext,
  type JobDefinition,
  type Outcome,
  RotateSecret,
} from "../src/queue/contracts.ts";
import type { Action, Pause } from "../src/rotation/model/action.ts";
import type { Snapshot } from "../src/rotation/model/snapshot.ts";
import { type Conclusion, reconcile, type ReconcilePorts } from "../src/rotation/reconcile.ts";
import { describeAction } from "../src/rotation/report/describe.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRoll } from "./roll-dependents.ts";

export type RotateSecretPorts = ReconcilePorts;

/**
 * Brings one secret as far as it can be now, then says when it is to be looked after again: by whom and why it was
 * queued makes no difference.
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
      return inSpan("rotate secret", attributes, () =>
        context.withLock(lockOf(secret), (signal) => rotate({ secret, data, ports, context, signal })),
      );
    },
  };
}

/** Queues a run for one secret; a second one from the same kind of cause is dropped while the first is alive. */
export function queueRotate(
  enqueue: Enqueue,
  { vault, name, key }: SecretPolicy,
  cause: Pick<RotateSecret, "trigger" | "requestId" | "version">,
  delay = 0,
): Promise<string> {
  const data = { vault: vault.name, name, mode: "routine" as const, ...cause };
  return enqueue("rotate-secret", data, { dedupe: `${cause.trigger} ${key}`.toLowerCase(), delay });
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

async function rotate(run: Run): Promise<Outcome> {
  const { secret, data, ports, context, signal } = run;
  const conclusion = await reconcile({
    secret,
    cause: data,
    ports,
    signal,
    done: (action, rotation) => report(run, action, rotation),
    async failed({ kind }) {
      // The readers of the parent are not kept waiting for a derived secret that cannot be written.
      if (kind === "publish-derived") await queueRoll(context.enqueue, secret.key);
    },
  });
  return conclude(run, conclusion);
}

/** Shows it to whoever watches this rotation. */
async function report({ context, secret }: Run, action: Action, rotation: string): Promise<void> {
  await context.progress({ ...describeAction(action), secret: secret.key, rotation });
}

/** From why there is nothing to do now to what becomes of the job. @throws Fault with the question for a person */
async function conclude(run: Run, { action, snapshot, rotation }: Conclusion): Promise<Outcome> {
  const { secret } = run;
  switch (action.kind) {
    case "stop":
      throw new Fault(action.code, action.question, { secret: secret.key });
    case "roll":
      await report(run, action, rotation);
      await roll(run, snapshot);
      return { done: "rolling" };
    case "wait":
      return wait(run, action, snapshot, rotation);
    case "idle":
      await report(run, action, rotation);
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

type Wait = Extract<Pause, { kind: "wait" }>;

/** These pass in seconds or minutes: the same job comes back. */
const soonOver: { readonly [R in Wait["reason"]]?: string } = {
  provider: "the provider cannot be asked now",
  propagation: "waiting until the provider shows the change",
  agreement: "another worker acts by another policy; nothing is retired meanwhile",
  down: "container groups that read it are down",
};

async function wait(run: Run, action: Wait, snapshot: Snapshot, rotation: string): Promise<Outcome> {
  const why = soonOver[action.reason];
  if (why === undefined) {
    await roll(run, snapshot);
    return waitForOverlap(run, action, rotation);
  }
  if (action.reason === "down") await report(run, action, rotation);
  return { requeueAfter: action.until, why };
}

/** The reminder is a nudge, not a promise: the sweep finds what is due as well. It waits in its own place in the queue. */
async function waitForOverlap(run: Run, action: Wait, rotation: string): Promise<Outcome> {
  const { secret, data, ports, context } = run;
  if (data.trigger === "nudge")
    return { requeueAfter: action.until, why: "the old credential may not retire yet" };
  await report(run, action, rotation);
  const delay = Math.max(0, action.until - ports.clock.now());
  await queueRotate(context.enqueue, secret, { trigger: "nudge", requestId: data.requestId }, delay);
  return { done: "overlap" };
}
