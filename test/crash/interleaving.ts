import fc from "fast-check";
import { hour } from "./ground.ts";
import { leftovers } from "./leftovers.ts";
import type { SecretVersionState } from "../local-azure/state.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { createWorld, type World } from "./world.ts";

export interface DuelOptions {
  readonly scenario: Scenario;
  /** Without them, correctness comes from looking alone. */
  readonly locks: boolean;
  /** After so many calls the first worker stands still for longer than all its leases, without noticing. */
  readonly pauseAfter?: number | undefined;
  /** Told every call, and what is left at the end. */
  readonly trace?: string[];
}

const limit = 24 * hour;

/** Two workers on one secret, in the order that the scheduler wants: each call is a point where the other may go on. */
export async function duel(scheduler: fc.Scheduler, options: DuelOptions): Promise<string[]> {
  const { scenario, locks, pauseAfter, trace = [] } = options;
  const world = await createWorld(scenario, {
    async turn({ id }, label) {
      await scheduler.schedule(Promise.resolve(), `${id} ${label}`);
      trace.push(`${new Date(world.ground.clock.now()).toISOString()} ${id} ${label}`);
    },
  });
  const { ground, redis } = world;
  try {
    redis.locking = locks;
    await ground.begin();
    const [first] = [world.startWorker(), world.startWorker()];
    for (const trigger of ["near-expiry", "expired"] as const) {
      const data = { vault: "prod-kv", name: "orders-db", trigger, requestId: trigger };
      redis.add("rotate-secret", data, { dedupe: trigger });
    }
    const until = ground.clock.now() + limit;
    while (ground.clock.now() < until && !world.isOver()) {
      for (const worker of world.alive()) if (worker.process.running === 0) world.startNext(worker);
      await world.still(() => scheduler.count());
      if (scheduler.count() > 0) await scheduler.waitOne();
      else if (!world.isOver()) await world.wait(until);
      if (pauseAfter !== undefined && world.calls.length === pauseAfter && first) {
        trace.push(`${first.process.id} stands still`);
        redis.abandon(first.process.id);
        await ground.clock.advance(31_000);
      }
    }
    trace.push(...describe(ground.snapshot()));
    // Who wakes up past his leases has no lock either: he may regenerate a key that the other one has just published. Where
    // keyturn makes the value, or the provider adds one beside the others, every rule holds for him all the same.
    const mayClash = !locks || (pauseAfter !== undefined && takesTurnsMinted(world));
    if (mayClash) return [...world.violations.filter(isLasting), ...healed(world)];
    return [...world.violations, ...leftovers(world, pauseAfter !== undefined)];
  } finally {
    await world.close();
  }
}

/** One of two slots is given a new value by its provider: nothing tells two workers apart there. */
function takesTurnsMinted({ ground }: World): boolean {
  return ground.policy.secrets.some(({ rotator }) => rotator.origin === "minted" && rotator.slots.length > 0);
}

/**
 * Key Vault knows no compare-and-set. Where no lock keeps them apart, two workers may each make a candidate, and one takes
 * the place of the other at the provider, a moment before or after that one is published. The end has to be right.
 */
const momentary = [
  "an accepted latest stays accepted",
  "what is published works and was verified",
  "a credential that somebody still needs is never revoked",
  "a rotation publishes one value",
];

function isLasting(violation: string): boolean {
  return !momentary.some((rule) => violation.includes(`"${rule}"`));
}

/** Published more than once, and a job that gave up: no harm. Without a provider nobody can tell which of two is ours. */
function healed(world: World): string[] {
  const { live } = world.ground.snapshot();
  const harmless = [
    "dead letters",
    "rotations instead of one",
    ...(live ? [] : ["an old version is enabled"]),
  ];
  return leftovers(world, true).filter((what) => !harmless.some((text) => what.includes(text)));
}

/** One line per version, without values: those that are equal get the same number. */
function describe({ versions, pending, live }: Snapshot): string[] {
  const texts = new Map<string, number>();
  const line = ({ version, value, enabled, tags }: SecretVersionState) => {
    if (!texts.has(value)) texts.set(value, texts.size + 1);
    return `${version} value ${texts.get(value)}${live?.has(value) ? " (accepted)" : ""} enabled ${enabled} ${JSON.stringify(tags)}`;
  };
  return [...versions.map(line), "parked:", ...pending.map(line)];
}
