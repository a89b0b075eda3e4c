import { flushCompileCache } from "node:module";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { createEnqueue } from "../../src/queue/enqueue.ts";
import { connectRedis } from "../../src/queue/redis.ts";
import { startRuntime } from "../../src/queue/runtime.ts";
import { killedLimits, rotateJob } from "./rig.ts";

/** A worker process that takes a job, says so on stdout, and never gets done with it. */
// Ten of them are started in a row, and none lives to the end, at which Node would keep what it has compiled.
flushCompileCache();
process.stdin.resume().once("end", () => process.exit());
const [, , url = ""] = process.argv;
const log = createLog("silent");
const redis = connectRedis({ url, log });
const { enqueue } = createEnqueue({ redis, policy: "policy-1" });
startRuntime({
  redis,
  jobs: {
    "rotate-secret": rotateJob(async ({ requestId }, { attempt }) => {
      process.stdout.write(`${requestId} attempt ${attempt}\n`);
      await Promise.withResolvers<void>().promise;
      return { done: "never" };
    }, 1),
  },
  worker: killedLimits,
  clock: systemClock,
  log,
  enqueue,
});
