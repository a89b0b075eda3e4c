import { anyHistory } from "../property/model.ts";
import { duels, kindName, kinds } from "../property/duels.ts";
import { type Search, search } from "../property/search.ts";
import { caseNamed } from "./exploring.ts";
import { type Failure, runCase } from "./matrix.ts";
import { scenarios } from "./scenarios/index.ts";

export interface Replayed {
  /** What happened, line by line. */
  readonly lines: readonly string[];
  readonly wrong: readonly string[];
}

/** Brings a failure back by its name. @throws Error if nothing has that name */
export async function replay(name: string): Promise<Replayed> {
  const found = /^(two workers|histories)\/(.*)\/(\d+):(\d+)$/.exec(name);
  if (!found) return replayCase(name);
  const [, part, what = "", seed, run] = found;
  const options = { runs: 1, seed: Number(seed), run: Number(run) };
  const [failure] = await (part === "histories" ? againHistory(what, options) : againDuel(what, options));
  return { lines: failure?.wrong.slice(1) ?? [], wrong: failure?.wrong.slice(0, 1) ?? [] };
}

async function replayCase(name: string): Promise<Replayed> {
  const one = caseNamed(name);
  const { calls, wrong } = await runCase(one);
  const happens = new Map(
    one.troubles.map(({ at, position, flush }) => [at, flush ? `${position}!` : position]),
  );
  return { lines: calls.map((label, at) => `#${at} ${label} ${happens.get(at) ?? ""}`.trimEnd()), wrong };
}

async function againHistory(what: string, options: Search): Promise<readonly Failure[]> {
  const found = await search("histories", (trace) => anyHistory(what === "people", trace), options);
  return found.failures;
}

async function againDuel(what: string, options: Search): Promise<readonly Failure[]> {
  const [scenarioName, name] = what.split("/");
  const scenario = scenarios.find((one) => one.name === scenarioName);
  const kind = kinds.find((one) => kindName(one) === name);
  if (!scenario || !kind) throw new Error(`there is no case ${what}`);
  const found = await search("two workers", (trace) => duels(scenario, kind, trace), options);
  return found.failures;
}
