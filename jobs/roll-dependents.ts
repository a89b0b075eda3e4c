import { randomUUID } from "node:crypto";
import { retriableOf } from "../src/attempt-each.ts";
import type { Timestamp } from "../src/clock.ts";
import type { Fault } from "../src/errors.ts";
import { findSecretByKey } from "../src/policy/lookup.ts";
import { type Enqueue, type JobDefinition, type Outcome, RollDependents } from "../src/queue/contracts.ts";
import { nextRestarts, type RolloutDecision } from "../src/rollout/next-restarts.ts";
import { type FleetPorts, observeFleet } from "../src/rollout/observe-fleet.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRestart } from "./restart-group.ts";

const stage = "roll-dependents";

/** How soon to look again at what could not be seen, while others are on their way. */
const soon = 15_000;

export type RollDependentsPorts = FleetPorts;

/** Queues the one roller; while it is queued or waiting, a second request adds nothing to what it will look at. */
export function queueRoll(enqueue: Enqueue, reason: string): Promise<string> {
  return enqueue(stage, { reason }, { dedupe: stage });
}

/**
 * The one roller of the fleet: looks at all open rotations and all their dependents, and queues the restarts that may
 * happen now. A secret whose dependents are all confirmed is handed back to `rotate-secret`.
 */
export function createRollDependents(ports: RollDependentsPorts): JobDefinition<typeof stage> {
  return {
    stage,
    data: RollDependents,
    attempts: 8,
    run: (_data, context) =>
      inSpan("roll dependents", {}, async (span): Promise<Outcome> => {
        const { fleet, faults } = await observeFleet(ports, context.signal);
        const decision = nextRestarts(fleet, ports.policy.rollout);
        span.setAttribute(attribute.outcome, `${decision.restart.length} to restart`);
        for (const restart of decision.restart) {
          ports.log.info({ group: restart.group, secrets: restart.secrets }, "restart queued");
          await queueRestart(context.enqueue, restart);
        }
        // Whoever restarted it watches it as well; if Redis has lost that job, the roll would never end.
        for (const restart of decision.watch) await queueRestart(context.enqueue, restart);
        for (const secret of decision.confirmed) {
          await context.progress({
            step: "confirmed",
            text: "all gating container groups are on the new version",
            secret,
          });
          await handBack(ports, context.enqueue, secret);
        }
        return outcomeOf(decision, retriableOf(faults), fleet.now);
      }),
  };
}

/** What could not be seen is looked at again with the others, or if there is nothing else to do, as a job that failed. */
function outcomeOf(
  { restart, again, unconfirmed }: RolloutDecision,
  missed: Fault | undefined,
  now: Timestamp,
): Outcome {
  if (missed && (restart.length > 0 || again !== undefined))
    return {
      requeueAfter: Math.min(again ?? now + soon, now + soon),
      why: "not everything could be looked at",
    };
  if (missed) throw missed;
  if (again !== undefined) return { requeueAfter: again, why: "waiting for skew, coalescing or settling" };
  return { done: restart.length > 0 ? "restarting" : unconfirmed.length > 0 ? "blocked" : "confirmed" };
}

/** Back to `rotate-secret`, by name: it decides when the old credential retires. */
async function handBack({ policy }: RollDependentsPorts, enqueue: Enqueue, key: string): Promise<void> {
  const secret = findSecretByKey(policy, key);
  if (!secret) return;
  const data = { vault: secret.vault.name, name: secret.name, mode: "routine" as const };
  await enqueue(
    "rotate-secret",
    { ...data, trigger: "confirmed", requestId: randomUUID() },
    { dedupe: `confirmed ${key}`.toLowerCase() },
  );
}
