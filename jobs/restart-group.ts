import type { ContainerGroups, ContainerGroupView } from "../src/azure/container-instances.ts";
import type { Clock } from "../src/clock.ts";
import { gatesFor } from "../src/dependents/gating.ts";
import { groupFacts } from "../src/dependents/standing.ts";
import { Fault } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { findSecretByKey, isInScope } from "../src/policy/lookup.ts";
import type { Policy } from "../src/policy/policy.ts";
import {
  type Enqueue,
  type JobContext,
  type JobDefinition,
  type Outcome,
  RestartGroup,
} from "../src/queue/contracts.ts";
import type { Restart } from "../src/rollout/next-restarts.ts";
import { nextStep } from "../src/rollout/next-step.ts";
import { attribute } from "../src/telemetry/names.ts";
import { inSpan } from "../src/telemetry/span.ts";

const stage = "restart-group";

export interface RestartGroupPorts {
  readonly policy: Policy;
  readonly groups: ContainerGroups;
  readonly clock: Clock;
  readonly log: Log;
}

/** One restart per group at a time; a second request for the same group is answered by the first one's evidence. */
export function queueRestart(enqueue: Enqueue, { group, startedAfter, secrets }: Restart): Promise<string> {
  return enqueue(stage, { group, startedAfter, secrets: [...secrets] }, { dedupe: group.toLowerCase() });
}

/**
 * Restarts one group unless its containers already started late enough, then watches it until every container runs and
 * has kept running for the settle time. Watching is looking again, so it blocks nobody and survives a crash.
 */
export function createRestartGroup(ports: RestartGroupPorts): JobDefinition<typeof stage> {
  return {
    stage,
    data: RestartGroup,
    attempts: 5,
    async run(data, context) {
      const { group } = data;
      if (!isInScope(ports.policy, group)) {
        throw new Fault("invalid-job", `the policy's scopes do not allow touching ${group}`);
      }
      return inSpan("restart group", { [attribute.group]: group }, () => step(data, context, ports));
    },
  };
}

async function step(data: RestartGroup, context: JobContext, ports: RestartGroupPorts): Promise<Outcome> {
  const { group, startedAfter } = data;
  const now = ports.clock.now();
  const view = await ports.groups.get(group, context.signal);
  const facts = groupFacts(group, view);
  const next = nextStep(
    { facts, startedAfter, now, sentAt: data.sentAt, since: data.since },
    ports.policy.rollout,
  );
  if (data.since === undefined) await context.remember({ since: now });
  switch (next.kind) {
    case "restart":
      await tell(data, context, "restarting", `restarting ${nameOf(group)}`);
      // Remembered first: after a crash in between, the group is given time to show the restart before another one.
      await context.remember({ sentAt: now });
      await ports.groups.restart(group, context.signal);
      ports.log.info({ group, secrets: data.secrets }, "restart sent");
      return { requeueAfter: ports.clock.now(), why: "looking for the new containers" };
    case "wait":
      return { requeueAfter: next.until, why: next.why };
    case "failed":
      await turnBack(data, context, view, ports);
      throw new Fault("restart-failed", `${group} did not come back: ${next.why}; the roll-out stops here`);
    case "done":
      await tell(data, context, "restarted", `${nameOf(group)}: ${next.why}`);
      await handBack(data, context);
      return { done: next.why };
    default:
      return next satisfies never;
  }
}

/** Back to the roller, by name: it decides who is next. */
async function handBack({ group }: RestartGroup, { enqueue }: JobContext): Promise<void> {
  await enqueue("roll-dependents", { reason: nameOf(group) }, { dedupe: "roll-dependents" });
}

/**
 * To `rotate-secret`, by name: it writes down that the rotation is to be rolled back, if it is the rotation's fault. Where
 * a group gates nothing, its failure says nothing about the rotation: the others go on.
 */
async function turnBack(
  data: RestartGroup,
  context: JobContext,
  view: ContainerGroupView | undefined,
  { policy }: RestartGroupPorts,
): Promise<void> {
  const secrets = data.secrets.flatMap((key) => findSecretByKey(policy, key) ?? []);
  const gated = secrets.filter((secret) => view && gatesFor(secret, view));
  for (const { vault, name, key } of gated) {
    const cause = { trigger: "roll-failed" as const, requestId: context.jobId.slice(0, 64) };
    await context.enqueue(
      "rotate-secret",
      { vault: vault.name, name, mode: "routine", ...cause },
      { dedupe: `roll-failed ${key}`.toLowerCase() },
    );
  }
  if (gated.length === 0) await handBack(data, context);
}

async function tell(data: RestartGroup, context: JobContext, word: string, text: string): Promise<void> {
  for (const secret of data.secrets) await context.progress({ step: word, text, secret, group: data.group });
}

function nameOf(group: string): string {
  return group.split("/").at(-1) ?? group;
}
