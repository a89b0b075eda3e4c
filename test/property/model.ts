import fc from "fast-check";
import { faultCodes } from "../../src/errors.ts";
import { hour } from "../crash/ground.ts";
import { leftovers } from "../crash/leftovers.ts";
import { groupNames } from "../crash/matrix.ts";
import { scenarios } from "../crash/scenarios/index.ts";
import { createWorld, type World } from "../crash/world.ts";
import { statusOf } from "../../src/rotation/status.ts";
import { accidents, meddling } from "./commands.ts";
import type { Trace } from "./search.ts";

/** Long enough for every back-off, and for the hold of a rotation that was taken back. */
const patience = 72 * hour;

/** Any sequence of accidents, with or without people's meddling; then everything works again, and time passes. */
export function anyHistory(withPeople: boolean, trace: Trace = []) {
  const commands = fc.commands(withPeople ? [...accidents, ...meddling] : accidents, {
    maxCommands: 30,
    size: "max",
  });
  return fc.asyncProperty(fc.constantFrom(...scenarios), commands, async (scenario, history) => {
    const world = await createWorld(scenario, { dependents: groupNames, latency: 150 });
    try {
      await world.ground.begin();
      await fc.asyncModelRun(() => ({ model: { meddled: false }, real: world }), history);
      world.calm();
      await world.run(patience);
      // Tags edited by hand can make it look over; once a day the deep sweep looks further than tags.
      if (withPeople && (await unsettled(world)).length > 0) await world.run(25 * hour, () => false);
      const wrong = [...world.violations, ...(withPeople ? await unsettled(world) : unfinished(world))];
      if (wrong.length > 0) throw new Error(`${scenario.name}: ${wrong.join("\n")}`);
    } finally {
      trace.splice(0, trace.length, ...world.calls);
      await world.close();
    }
  });
}

/** A job that gave up while something was away is no harm: the sweep asks again. */
function unfinished(world: World): string[] {
  return leftovers(world, true).filter((what) => !what.startsWith("dead letters"));
}

/** Whatever people did: it has come to rest with nothing to do, or it has stopped with a question. */
async function unsettled(world: World): Promise<string[]> {
  const [worker] = world.alive();
  const [secret] = worker?.ports.policy.secrets ?? [];
  if (!worker || !secret) return ["nobody is at work"];
  const asking = statusOf(secret, worker.ports, new AbortController().signal);
  await world.settle();
  const { state, next } = await asking;
  return state === "ok" || state === "needs-human" || hasAsked(world) ? [] : [`it ends as ${state}: ${next}`];
}

/** The last thing that the worker said of the secret was a question. */
function hasAsked({ redis }: World): boolean {
  const last = redis.deadLetters.findLast((letter) => letter.startsWith("rotate-secret")) ?? "";
  const code = /^rotate-secret ([a-z-]+):/.exec(last)?.[1];
  return Object.entries(faultCodes).some(([known, kind]) => known === code && kind === "needs-human");
}
