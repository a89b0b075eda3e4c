import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { deadLetters } from "../../src/queue/dead-letters.ts";
import { until } from "../support/until.ts";
import { killedLimits, rotateJob, secretJob, startRig } from "./rig.ts";

const script = new URL("killed-worker.ts", import.meta.url).pathname;

/** Resolves with what the worker says once it has the job, and kills it then. */
async function takeAndDie(url: string): Promise<string> {
  // The open stdin tells the worker that we live.
  const child = spawn(process.execPath, [script, url], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  try {
    const signal = AbortSignal.timeout(120_000);
    const [line] = await once(createInterface(child.stdout), "line", { signal });
    return String(line);
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

test("a job survives ten workers that are killed over it, and none of that counts as a failure", async () => {
  await using rig = await startRig();
  await rig.enqueue("rotate-secret", secretJob);
  for (let death = 1; death <= 10; death++) expect(await takeAndDie(rig.server.url)).toBe("q-1 attempt 1");
  const attempts: number[] = [];
  rig.run(
    {
      "rotate-secret": rotateJob(async (_data, { attempt }) => {
        attempts.push(attempt);
        return { done: "at last" };
      }, 1),
    },
    { worker: killedLimits },
  );
  await until("it is done", async () => (await rig.raw.keys("keyturn:rotate-secret:[0-9]*")).length === 0);
  expect(attempts).toEqual([1]);
  expect(await deadLetters(rig.redis).list()).toEqual([]);
});
