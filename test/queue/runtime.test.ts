import { expect, test } from "vitest";
import { RollDependents } from "../../src/queue/contracts.ts";
import { deadLetters } from "../../src/queue/dead-letters.ts";
import { until } from "../support/until.ts";
import { secretJob, startRig } from "./rig.ts";

test("draining lets a job finish, aborts one that takes too long, and the next worker gets that one at once", async () => {
  await using rig = await startRig();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const runtime = rig.rotate(async ({ requestId }, { signal }) => {
    done.push(`${requestId} begins`);
    if (requestId === "short") await gate.promise;
    else
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    done.push(`${requestId} ends`);
    return { done: "ok" };
  });
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "short" });
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "long" });
  await until("both run", () => done.length === 2);
  const draining = runtime.drain(300);
  expect(runtime.state).toBe("draining");
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "late" });
  gate.resolve();
  await draining;
  expect(runtime.state).toBe("closed");
  expect(done).toEqual(["short begins", "long begins", "short ends"]);

  const next: [string, number][] = [];
  rig.rotate(async ({ requestId }, { attempt }) => {
    next.push([requestId, attempt]);
    return { done: "ok" };
  });
  await until("the rest ran", () => next.length === 2);
  expect(next).toEqual([
    ["long", 1],
    ["late", 1],
  ]);
});

test("a job whose lock is lost is aborted and left to whoever has it", async () => {
  await using rig = await startRig();
  const reasons: unknown[] = [];
  rig.rotate(async (_data, { signal }) => {
    if (reasons.length > 0) return { done: "ok" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    reasons.push(signal.reason);
    throw new Error("torn off");
  });
  const id = await rig.enqueue("rotate-secret", secretJob);
  const lock = `keyturn:rotate-secret:${id}:lock`;
  await until("it runs", () => rig.raw.exists(lock));
  await rig.raw.set(lock, "somebody else's token");
  await until("it was aborted", () => reasons.length);
  expect(reasons[0]).toMatchObject({ code: "cancelled", message: "the job's lock was lost" });
  expect(await rig.raw.lrange("keyturn:rotate-secret:active", 0, -1)).toEqual([id]);
  await rig.raw.del(lock);
  await until("it was taken up again", async () => !(await rig.raw.exists(`keyturn:rotate-secret:${id}`)));
  expect(await deadLetters(rig.redis).list()).toEqual([]);
});

test("cancelling a job puts it back", async () => {
  await using rig = await startRig();
  const attempts: number[] = [];
  const runtime = rig.rotate(async (_data, { signal, attempt }) => {
    attempts.push(attempt);
    if (attempts.length > 1) return { done: "ok" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return signal.throwIfAborted() ?? { done: "never" };
  });
  const id = await rig.enqueue("rotate-secret", secretJob);
  await until("it runs", () => attempts.length);
  expect(runtime.cancel("rotate-secret", id)).toBe(true);
  expect(runtime.cancel("rotate-secret", "no-such")).toBe(false);
  await until("it ran again", () => attempts.length === 2);
  expect(attempts).toEqual([1, 1]);
});

test("a paused runtime takes no jobs until it is resumed", async () => {
  await using rig = await startRig();
  const runs: string[] = [];
  const runtime = rig.rotate(async ({ requestId }) => {
    runs.push(requestId);
    return { done: "ok" };
  });
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "before" });
  await until("it ran", () => runs.length === 1);
  await runtime.pause();
  expect(runtime.state).toBe("paused");
  const other = startRuntimeBeside(rig, runs);
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "meanwhile" });
  await until("another worker took it", () => runs.includes("other: meanwhile"));
  await other.close();
  await runtime.resume();
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "after" });
  await until("it ran", () => runs.includes("after"));
});

function startRuntimeBeside(rig: Awaited<ReturnType<typeof startRig>>, runs: string[]) {
  return rig.rotate(async ({ requestId }) => {
    runs.push(`other: ${requestId}`);
    return { done: "ok" };
  });
}

test("one roller at a time works in the whole fleet", async () => {
  await using rig = await startRig();
  const gate = Promise.withResolvers<void>();
  const begun: string[] = [];
  const roller = (name: string) =>
    rig.run(
      {
        "roll-dependents": {
          stage: "roll-dependents",
          data: RollDependents,
          attempts: 3,
          async run() {
            begun.push(name);
            await gate.promise;
            return { done: "ok" };
          },
        },
      },
      { redis: rig.connect() },
    );
  roller("a");
  roller("b");
  await rig.enqueue("roll-dependents", {});
  await rig.enqueue("roll-dependents", {});
  await rig.enqueue("roll-dependents", {});
  await until("the other one waits for its turn", () => rig.raw.zcard("keyturn:roll-dependents:delayed"));
  expect(begun).toHaveLength(1);
  gate.resolve();
});

test("work in hand goes on while Redis is away, and the runtime goes on when it is back", async () => {
  await using rig = await startRig({ keep: true });
  const steps: string[] = [];
  const down = Promise.withResolvers<void>();
  rig.rotate(async ({ requestId }, context) => {
    steps.push(`${requestId} begins`);
    if (requestId === "first" && steps.length === 1) {
      await down.promise;
      await context.progress({ step: "applied", text: "told to nobody" });
      steps.push("first goes on");
    }
    return { done: "ok" };
  });
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "first" });
  await until("it runs", () => steps.length);
  await rig.server.kill();
  await until("that is noticed", () => rig.redis.state() === "unreachable");
  await until("the reason is known", () => rig.redis.lastError());
  down.resolve();
  await until("it goes on", () => steps.includes("first goes on"));
  await rig.server.restart();
  await until("it is taken", () =>
    rig.enqueue("rotate-secret", { ...secretJob, requestId: "second" }).catch(() => undefined),
  );
  await until("the second one ran", () => steps.includes("second begins"));
  await until("both are done", async () => (await rig.raw.keys("keyturn:rotate-secret:[0-9]*")).length === 0);
  expect(await deadLetters(rig.redis).list()).toEqual([]);
});

test("a runtime that starts before Redis begins when Redis is there", async () => {
  await using rig = await startRig();
  await rig.server.kill();
  let runs = 0;
  rig.rotate(async () => {
    runs++;
    return { done: "ok" };
  });
  await rig.server.restart();
  await until("it is taken", () => rig.enqueue("rotate-secret", secretJob).catch(() => undefined));
  await until("it ran", () => runs === 1);
});

test("closing without Redis comes to an end", async () => {
  await using rig = await startRig();
  const runtime = rig.rotate(async () => ({ done: "ok" }));
  await rig.enqueue("rotate-secret", secretJob);
  await rig.server.kill();
  await runtime.close();
  expect(runtime.state).toBe("closed");
});
