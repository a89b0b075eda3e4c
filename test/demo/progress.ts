import pc from "picocolors";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { connectRedis } from "../../src/queue/redis.ts";
import { watchProgress } from "../../src/queue/watch.ts";
import type { World } from "../support/world.ts";

/** Prints what the worker's jobs tell, as `keyturn rotate --wait` does. */
export interface FollowedProgress extends AsyncDisposable {
  /** Whether a job has said that the rotation is closed. */
  closed(): boolean;
  /** Whether the sweep that every worker begins with is over. */
  swept(): boolean;
}

export async function followProgress(world: World): Promise<FollowedProgress> {
  const stopped = new AbortController();
  const { identity } = world.operator;
  const redis = connectRedis({
    url: world.workerEnvironment.KEYTURN_REDIS ?? "",
    getToken: async () => {
      const { token, expiresOn } = await world.azure.tokens.issue(identity, "https://redis.azure.com");
      return { token, expiresOnTimestamp: expiresOn * 1000 };
    },
    log: createLog("silent"),
  });
  await redis.whenReady(10_000);
  const watch = watchProgress(redis, { signal: stopped.signal });
  await watch.ready;
  let closed = false;
  let swept = false;
  const start = systemClock.now();
  const printing = (async () => {
    for await (const { at, step, text, stage } of watch) {
      swept ||= stage === "sweep-vaults" && step === "completed";
      if (step === "completed") continue;
      if (step === "retired") closed = true;
      const seconds = ((at - start) / 1000).toFixed(1).padStart(5);
      console.log(`${pc.dim(`${seconds}s`)}  ${pc.bold(step.padEnd(11))} ${text}`);
    }
  })().catch(() => {});
  return {
    closed: () => closed,
    swept: () => swept,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await printing;
      await redis.close();
    },
  };
}
