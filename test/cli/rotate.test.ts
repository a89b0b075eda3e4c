import { describe, expect, test } from "vitest";
import { RotateSecret } from "../../src/queue/contracts.ts";
import { Fault } from "../../src/errors.ts";
import { key, now, rotation, run, version } from "./fake.ts";

const rotate = ["rotate", key];
const follow = [...rotate, "--wait"];

describe("a request", () => {
  test("carries the version that was seen, its id, who asks and why", async () => {
    const { code, out, queued } = await run([...rotate, "--reason", "seen in a chat"]);
    expect(code).toBe(0);
    expect(queued).toEqual([
      {
        stage: "rotate-secret",
        data: {
          vault: "prod-kv",
          name: "orders-db",
          version,
          trigger: "manual",
          mode: "routine",
          requestId: "request-1",
          actor: "ada",
          reason: "seen in a chat",
        },
        options: undefined,
      },
    ]);
    expect(out).toContain(version);
    expect(out).toContain("request-1");
  });

  test("says that the value is leaked, if it is", async () => {
    const { queued } = await run([...rotate, "--compromised"]);
    expect(queued[0]?.data).toMatchObject({ mode: "compromised", trigger: "manual", version });
  });

  test("answers a rotation that was given up, one way or the other", async () => {
    for (const mode of ["retry", "abandon"]) {
      const { code, queued } = await run(["resolve", key, `--${mode}`]);
      expect(code).toBe(0);
      expect(queued[0]?.data).toMatchObject({ mode, trigger: "manual", version });
    }
    const group =
      "/subscriptions/s/resourceGroups/apps/providers/Microsoft.ContainerInstance/containerGroups/x";
    const { queued } = await run(["resolve", key, "--confirm", group]);
    expect(queued[0]?.data).toMatchObject({ mode: "confirm", subject: group });
    const { queued: named } = await run(["resolve", key, "--revoke", "orders_a"]);
    expect(named[0]?.data).toMatchObject({ mode: "revoke", subject: "orders_a" });
    expect(await run(["resolve", key, "--confirm", "x"])).toMatchObject({ code: 2, queued: [] });
    expect(await run(["resolve", key])).toMatchObject({ code: 2, queued: [] });
    expect(await run(["resolve", key, "--retry", "--abandon"])).toMatchObject({ code: 2, queued: [] });
  });

  test("is never deduplicated: each person is answered", async () => {
    const { queued } = await run(rotate);
    expect(queued[0]?.options).toBeUndefined();
  });

  test("fits the job's schema however long reason and name are", async () => {
    const { queued } = await run([...rotate, "--reason", "r".repeat(2000)], { actor: "a".repeat(2000) });
    const parsed = RotateSecret.parse({ v: 1, policy: "digest", ...queued[0]?.data });
    expect(parsed.reason).toBe("r".repeat(256));
    expect(parsed.actor).toBe("a".repeat(128));
  });

  test("leaves out what is not known", async () => {
    const { queued } = await run(rotate, { actor: "" });
    expect(queued[0]?.data).not.toHaveProperty("actor");
    expect(queued[0]?.data).not.toHaveProperty("reason");
  });

  test("names the secret as the policy does, however it was typed", async () => {
    const { queued } = await run(["rotate", "PROD-KV/Orders-DB"]);
    expect(queued[0]?.data).toMatchObject({ vault: "prod-kv", name: "orders-db" });
  });

  test("for a secret that the policy does not name is refused, with the names it has", async () => {
    const { code, err, queued } = await run(["rotate", "prod-kv/order-db"]);
    expect(code).toBe(2);
    expect(err).toBe(
      "the policy names no secret prod-kv/order-db; it names prod-kv/orders-db, prod-kv/session-key",
    );
    expect(queued).toEqual([]);
  });

  test("for a secret that is not in its vault asks for a first version", async () => {
    const missing = await run(rotate, { latestVersion: () => Promise.resolve(undefined) });
    expect(missing).toMatchObject({ code: 3, queued: [] });
    expect(missing.err).toContain("store a first version");
  });

  test("for a disabled secret is for a person to settle", async () => {
    const fault = new Fault("secret-disabled", `the latest version of ${key} is disabled`);
    const disabled = await run(rotate, { latestVersion: () => Promise.reject(fault) });
    expect(disabled).toMatchObject({
      code: 3,
      queued: [],
      err: `keyturn: secret-disabled: ${fault.message}`,
    });
  });
});

describe("--wait", () => {
  test("shows the steps in their order and ends when the old version is retired", async () => {
    const names = ["intent", "parked", "applied", "published", "proven", "rolling", "revoked", "retired"];
    const { code, out, leftOpen } = await run(follow, {
      steps: names.map((step, index) => ({ step, text: `step ${index}`, jobId: `job-${1 + (index >> 1)}` })),
    });
    expect(code).toBe(0);
    const [queued, ...steps] = out.split("\n");
    expect(queued).toContain("queued");
    expect(steps.map((text) => text.split(/ +/)[1])).toEqual(names);
    expect(steps[0]).toBe("12:00:00.000  intent      step 0");
    expect(leftOpen).toBe(0);
  });

  test("shows restarts that other jobs do for this secret, and nothing of other secrets", async () => {
    const { out } = await run(follow, {
      steps: [
        {
          step: "intent",
          text: "of another",
          secret: "prod-kv/session-key",
          jobId: "job-7",
          rotation: "r-7",
        },
        { step: "restarting", text: "restarting orders-api", stage: "restart-group", jobId: "job-8" },
        { step: "failed", text: "another secret", secret: "prod-kv/session-key", jobId: "job-7" },
        {
          step: "retired",
          text: "of another",
          secret: "prod-kv/session-key",
          jobId: "job-7",
          rotation: "r-7",
        },
        { step: "completed", text: "rolling" },
        { step: "retired", text: "the end" },
      ],
    });
    expect(out.split("\n").slice(1)).toEqual([
      "12:00:00.000  restarting  restarting orders-api",
      "12:00:00.000  retired     the end",
    ]);
  });

  test("does not take the end of an earlier rotation for the end of its own", async () => {
    const { out } = await run(follow, {
      steps: [
        { step: "retired", text: "earlier", rotation: "r-earlier", jobId: "job-0" },
        { step: "done", text: "of another request", jobId: "job-0" },
        { step: "retired", text: "ours" },
      ],
    });
    expect(out).toMatch(/ours$/);
    expect(out).not.toContain("of another request");
  });

  test("ends when a newer version is there already", async () => {
    const { code, out } = await run(follow, { steps: [{ step: "done", text: "a newer version is there" }] });
    expect(code).toBe(0);
    expect(out).toContain("a newer version is there");
  });

  test.each([
    ["is not waited for when it is long", 120_001, /retires at \S+Z$/],
    ["is waited for when it is short", 120_000, /the end$/],
  ])("the overlap %s", async (_what, overlap, last) => {
    const until = now + overlap;
    const at = new Date(until).toISOString();
    const { code, out } = await run(follow, {
      steps: [
        {
          step: "overlap",
          text: `all dependents confirmed; old credential retires at ${at}`,
          until,
          jobId: "job-3",
        },
        { step: "retired", text: "the end", jobId: "job-4" },
      ],
    });
    expect(code).toBe(0);
    expect(out).toMatch(last);
  });

  test.each([
    ["a failure", "keyturn may not write prod-kv/orders-db", "forbidden", 1],
    ["a fault of ours", "unexpected TypeError", "internal-error", 1],
    ["a question", "the provider rejects the credential", "cannot-adopt", 3],
    ["a failure without a code", "cannot-adopt: stalled", undefined, 1],
  ] as const)("ends with %s as its exit code tells", async (_what, text, reason, expected) => {
    const { code, out } = await run(follow, {
      steps: [
        { step: "failed", text, ...(reason && { code: reason }), secret: undefined, rotation: undefined },
      ],
    });
    expect(code).toBe(expected);
    expect(out).toContain(text);
  });

  test("ends when a later job for this secret fails at its first step", async () => {
    const failed = { rotation: undefined, step: "failed", code: "forbidden" } as const;
    const { code, out } = await run(follow, {
      steps: [
        { ...failed, secret: "prod-kv/session-key", text: "may not read prod-kv/orders-db", jobId: "job-8" },
        { ...failed, text: "may not disable it", jobId: "job-9" },
      ],
    });
    expect(code).toBe(1);
    expect(out).not.toContain("may not read");
    expect(out).toContain("may not disable it");
  });

  test("takes no fact out of a sentence: whatever the steps say, it ends as their fields tell", async () => {
    const tomorrow = now + 24 * 3_600_000;
    const sentence = `needs-human: cannot-adopt: prod-kv/orders-db retires at ${new Date(tomorrow).toISOString()}`;
    const goesOn = { step: "overlap", text: sentence, until: now + 1 };
    const end = await run(follow, { steps: [goesOn, { step: "retired", text: sentence }] });
    expect(end).toMatchObject({ code: 0 });
    expect(end.out.split("\n")).toHaveLength(3);
    const long = await run(follow, { steps: [{ ...goesOn, text: "anders gesagt", until: tomorrow }] });
    expect(long).toMatchObject({ code: 0 });
    const failed = { step: "failed", text: sentence, code: "forbidden" } as const;
    expect(await run(follow, { steps: [failed] })).toMatchObject({ code: 1 });
    const asked = { step: "failed", text: "anders gesagt", code: "cannot-adopt" } as const;
    expect(await run(follow, { steps: [asked] })).toMatchObject({ code: 3 });
  });

  test("when interrupted says that the rotation goes on", async () => {
    const interrupt = new AbortController();
    const { code, err, queued, leftOpen } = await run(follow, {
      steps: [{ step: "intent", text: "intent recorded" }],
      interrupted: interrupt.signal,
      silence: () => interrupt.abort(),
    });
    expect(code).toBe(130);
    expect(err).toBe("no longer watching; the rotation goes on");
    expect(queued).toHaveLength(1);
    expect(leftOpen).toBe(0);
  });

  test("when interrupted before it has asked says that nothing was queued", async () => {
    const interrupt = new AbortController();
    const { code, err, queued } = await run(follow, {
      interrupted: interrupt.signal,
      watchReady: () => {
        interrupt.abort();
        return Promise.resolve();
      },
    });
    expect(code).toBe(130);
    expect(err).toBe("interrupted; nothing was queued");
    expect(queued).toEqual([]);
  });

  test("asks for nothing that it could not watch", async () => {
    const { code, err, queued, leftOpen } = await run(follow, {
      watchReady: () => Promise.reject(new Fault("unavailable", "Redis is unreachable (ECONNREFUSED)")),
    });
    expect(code).toBe(1);
    expect(err).toBe("keyturn: unavailable: Redis is unreachable (ECONNREFUSED)");
    expect(queued).toEqual([]);
    expect(leftOpen).toBe(0);
  });

  test("closes everything when the request is not taken", async () => {
    const { code, leftOpen } = await run(follow, {
      enqueue: () => Promise.reject(new Fault("unavailable", "Redis did not take it")),
    });
    expect(code).toBe(1);
    expect(leftOpen).toBe(0);
  });
});

test("the rotation a person follows is named by the version they saw", () => {
  expect(rotation).toMatch(/^r-[a-z2-7]{26}$/);
});
