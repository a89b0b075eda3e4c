import { describe, expect, test } from "vitest";
import { Fault } from "../../src/errors.ts";
import { stageData } from "../../src/queue/contracts.ts";
import { policyText } from "../policy/fixtures.ts";
import { key, now, run } from "./fake.ts";

describe("help", () => {
  test("names every command, the exit codes and the environment", async () => {
    const { code, out, err } = await run(["--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const commands = ["worker", "rotate", "status", "sweep", "dead-letters", "policy"];
    for (const word of [...commands, "130 interrupted", "KEYTURN_POLICY"]) expect(out).toContain(word);
  });

  test("of a command names its options", async () => {
    const { code, out } = await run(["rotate", "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("--reason <text>");
    expect(out).toContain("--wait");
  });

  test("comes with the version", async () => {
    expect(await run(["--version"])).toMatchObject({ code: 0, out: "1.2.3" });
  });
});

test.each([
  ["no command at all", []],
  ["an unknown command", ["rotat"]],
  ["an unknown option", ["status", "--jsn"]],
  ["a missing secret", ["rotate"]],
  ["one argument too many", ["rotate", key, "prod-kv/session-key"]],
  ["a reason without text", ["rotate", key, "--reason"]],
  ["half a command", ["policy"]],
  ["a missing id", ["dead-letters", "replay"]],
  ["an unknown command for dead letters", ["dead-letters", "burn"]],
])("%s is wrong usage, told on stderr", async (_what, args) => {
  const { code, out, err, queued } = await run(args);
  expect({ code, out, queued }).toEqual({ code: 2, out: "", queued: [] });
  expect(err).toMatch(/help|Usage/);
});

test("the worker's exit code is handed on", async () => {
  expect((await run(["worker"])).code).toBe(0);
});

describe("sweep", () => {
  test.each([
    [["sweep"], false, "sweep"],
    [["sweep", "--deep"], true, "deep-sweep"],
  ])("%j is queued once, however often it is asked for", async (args, deep, dedupe) => {
    const { code, out, queued } = await run(args);
    expect(code).toBe(0);
    expect(out).toBe(`queued: a ${deep ? "deep " : ""}sweep of 1 vault(s)`);
    expect(queued).toEqual([{ stage: "sweep-vaults", data: { deep }, options: { dedupe } }]);
    expect(stageData["sweep-vaults"].safeParse({ v: 1, policy: "x", ...queued[0]?.data }).success).toBe(true);
  });
});

describe("dead letters", () => {
  const letter = {
    id: "letter-1",
    stage: "rotate-secret",
    jobId: "7",
    code: "forbidden",
    message: "keyturn may not write prod-kv/orders-db",
    at: now - 2 * 86_400_000,
    attempts: 8,
  } as const;

  test("none is good news", async () => {
    expect(await run(["dead-letters", "list"])).toMatchObject({ code: 0, out: "no dead letters" });
    expect(JSON.parse((await run(["dead-letters", "list", "--json"])).out)).toEqual([]);
  });

  test.each([["dead-letters"], ["dead-letters list"]])(
    "%s shows them, for somebody to look at",
    async (command) => {
      const { code, out } = await run(command.split(" "), { letters: [letter] });
      expect(code).toBe(3);
      expect(out).toMatch(
        /letter-1 +rotate-secret +2d ago +forbidden +keyturn may not write prod-kv\/orders-db/,
      );
    },
  );

  test("--json shows them whole", async () => {
    const { code, out } = await run(["dead-letters", "list", "--json"], { letters: [letter] });
    expect(code).toBe(3);
    expect(JSON.parse(out)).toEqual([letter]);
  });

  test("one of them is queued again", async () => {
    const replay = await run(["dead-letters", "replay", "letter-1"], { letters: [letter] });
    expect(replay).toMatchObject({ code: 0, replayed: ["letter-1"], out: "queued again: letter-1" });
    expect(replay.queued).toHaveLength(1);
  });

  test("one that is not there is said to be missing", async () => {
    const replay = await run(["dead-letters", "replay", "letter-2"], { letters: [letter] });
    expect(replay).toMatchObject({
      code: 1,
      queued: [],
      err: "keyturn: not-found: there is no dead letter letter-2",
    });
  });
});

describe("policy", () => {
  const files = { "good.yaml": policyText({}), "bad.yaml": policyText({ head: "sweeep: {}" }) };

  test("a good file is said to be good", async () => {
    expect(await run(["policy", "check", "good.yaml"], { files })).toMatchObject({
      code: 0,
      out: "good.yaml: good; 1 secret(s) in 1 vault(s)",
    });
  });

  test("a bad one is told with the line and what is wrong", async () => {
    const { code, out, err } = await run(["policy", "check", "bad.yaml"], { files });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^keyturn: invalid-policy: .*\n {2}policy\.yaml:5:\d+: .*sweeep/);
  });

  test("its schema is JSON", async () => {
    const { code, out } = await run(["policy", "schema"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toHaveProperty("properties.secrets");
  });
});

describe("an error", () => {
  const canary = "canary-8d41f0";
  const commands = ["status", `rotate ${key}`, `rotate ${key} --wait`, "sweep", "dead-letters list"];

  test.each(commands)("of a library is told without its text: %s", async (command) => {
    const fail = () => Promise.reject(new SyntaxError(`unexpected token in "${canary}"`));
    const { code, out, err } = await run(command.split(" "), { openSession: fail });
    expect(code).toBe(1);
    expect(err).toContain("internal-error: unexpected SyntaxError");
    expect(out + err).not.toContain(canary);
  });

  test("of a library in the middle of a command is told without its text, and everything is closed", async () => {
    const fail = () => Promise.reject(new Error(`LPUSH ${canary} refused`, { cause: canary }));
    for (const outside of [{ enqueue: fail }, { latestVersion: fail }, { watchReady: fail }]) {
      const { code, out, err, leftOpen } = await run(["rotate", key, "--wait"], outside);
      expect({ code, leftOpen }).toEqual({ code: 1, leftOpen: 0 });
      expect(out + err).not.toContain(canary);
    }
  });

  test("that is no error at all is told by its kind", async () => {
    const { code, err } = await run(["status"], { openSession: () => Promise.reject(canary) });
    expect(code).toBe(1);
    expect(err).toContain("unexpected string");
    expect(err).not.toContain(canary);
  });

  test("behind one of ours stays behind it", async () => {
    const fault = new Fault("unavailable", "Redis is unreachable (ECONNREFUSED)", {
      cause: new Error(canary),
    });
    const { code, err } = await run(["sweep"], { openSession: () => Promise.reject(fault) });
    expect(code).toBe(1);
    expect(err).toBe("keyturn: unavailable: Redis is unreachable (ECONNREFUSED)");
  });

  test("of the configuration is wrong usage", async () => {
    const fault = new Fault("invalid-config", "the environment has a problem:\n  KEYTURN_REDIS: missing");
    const { code, err } = await run(["status"], { openSession: () => Promise.reject(fault) });
    expect(code).toBe(2);
    expect(err).toContain("KEYTURN_REDIS: missing");
  });
});
