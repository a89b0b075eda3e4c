import { randomUUID } from "node:crypto";
import type { Log } from "../src/log.ts";
import { findSecretByKey } from "../src/policy/lookup.ts";
import { type Enqueue, type JobDefinition, type Outcome, RollDependents } from "../src/queue/contracts.ts";
import { type RolloutDecision, nextRestarts } from "../src/rollout/next-restarts.ts";
import { type SurveyPorts, survey } from "../src/rollout/survey.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRestart } from "./restart-group.ts";

const stage = "roll-dependents";

export interface RollDependentsPorts extends SurveyPorts {
  readonly log: Log;
}

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
        const fleet = await survey(ports, context.signal);
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
        return outcomeOf(decision);
      }),
  };
}

function outcomeOf({ restart, again, unconfirmed }: RolloutDecision): Outcome {
  if (again !== undefined) return { again, why: "waiting for skew, coalescing or settling" };
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
