import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { runCommand, startCommand } from "./command.ts";
import {
  blockRoles,
  firstSweep,
  latestOf,
  logsIn,
  probesOf,
  readiness,
  rotatedAway,
  storeWorkingSecret,
  versionsOf,
} from "./fixture.ts";

const secret = "prod-kv/orders-db";
const stack = new AsyncDisposableStack();
let world: World;
/** With 90 days to live: nothing rotates it but a person. */
let stored: string;

beforeAll(async () => {
  world = stack.use(
    await startWorld({ dependents: ["orders-api"], overlap: "2s", settle: "500ms", nearExpiryDelay: 200 }),
  );
  stored = await storeWorkingSecret(world, 90);
  await world.startApp("orders-api");
  await world.startWorker();
  const probes = await probesOf(world);
  await until("the worker is ready", async () => (await readiness(probes)).ready);
  await firstSweep(world);
});
afterAll(() => stack.disposeAsync());

/** The words before the sentences, without the first line. */
function stepsOf(out: string): string[] {
  return out
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ +/)[1] ?? "");
}

function valuesOf(): string[] {
  return [...versionsOf(world), ...versionsOf(world, "orders-db--pending")].flatMap(({ value }) => [
    value,
    decodeURIComponent(new URL(value).password),
  ]);
}

describe("rotate --wait", () => {
  test("shows each step to the end, and the secret is a new one", async () => {
    const before = latestOf(world)?.value ?? "";
    const command = startCommand(world, ["rotate", secret, "--reason", "trying it", "--wait"]);
    // Two jobs notice that the reader is back; the one that retires may be sooner than the one that says so.
    await until("the new version is published", () => command.out.includes("published"));
    const roles = await blockRoles(world);
    await until("the restart is told", () => command.out.includes("restarted"));
    await roles.release();
    const { code, out, err } = await command.result;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(new RegExp(`^queued: rotation of ${secret}, version ${stored}, request \\S+\n`));
    const steps = stepsOf(out);
    expect(steps[0]).toBe("intent");
    expect(steps.at(-1)).toBe("retired");
    const landmarks = ["intent", "parked", "applied", "published", "restarted", "revoked", "retired"];
    expect(steps.filter((step) => landmarks.includes(step))).toEqual(landmarks);

    const latest = latestOf(world);
    expect(latest?.version).not.toBe(stored);
    expect(latest?.tags).toMatchObject({ "keyturn-from": stored, "keyturn-state": "retired" });
    expect(await logsIn(latest?.value ?? "")).toBe(true);
    expect(await logsIn(before)).toBe(false);
    for (const value of valuesOf()) expect(out.includes(value), "a value on stdout").toBe(false);
  });

  test("of two who ask at the same moment each is answered, and the secret is replaced once", async () => {
    const seen = latestOf(world)?.version ?? "";
    const count = versionsOf(world).length;
    // Nothing begins before both have asked.
    const hold = { service: "key-vault", match: "^PATCH ", position: "before", status: 429 } as const;
    world.azure.state.faults.push({ ...hold, id: "hold", retryAfter: 1, times: -1 });
    const commands = ["ada", "grace"].map((USER) =>
      startCommand(world, ["rotate", secret, "--wait"], { USER }),
    );
    await until("both have asked", () => commands.every((command) => command.out.includes("queued")));
    world.azure.state.faults.length = 0;
    const both = await Promise.all(commands.map((command) => command.result));
    for (const { code, out } of both) {
      expect(code, out).toBe(0);
      expect(out).toContain(`version ${seen}`);
    }
    expect((await rotatedAway(world, seen)).tags["keyturn-from"]).toBe(seen);
    expect(versionsOf(world)).toHaveLength(count + 1);
  });

  test("interrupted, ends at once with 130, and the rotation is finished all the same", async () => {
    const seen = latestOf(world)?.version ?? "";
    const command = startCommand(world, ["rotate", secret, "--wait"]);
    await until("the first step is shown", () => command.out.includes("intent"));
    command.interrupt();
    const { code, err } = await command.result;
    expect(code).toBe(130);
    expect(err).toContain("the rotation goes on");
    expect((await rotatedAway(world, seen)).tags["keyturn-from"]).toBe(seen);
  });

  test("fails with the worker's words when a person has to decide", async () => {
    const good = latestOf(world);
    const role = good?.tags["keyturn-credential"] ?? "";
    await world.store("orders-db", world.connectionString(role, "not-the-password"), 90);
    const { code, out } = await runCommand(world, ["rotate", secret, "--wait"]);
    expect(code, out).toBe(3);
    expect(stepsOf(out).at(-1)).toBe("failed");
    expect(out).toContain("cannot-adopt: ");
    expect(out).not.toContain("not-the-password");

    const letters = await runCommand(world, ["dead-letters", "list"]);
    expect(letters.code).toBe(3);
    expect(letters.out).toContain("cannot-adopt");

    const status = await runCommand(world, ["status"]);
    expect(status.code).toBe(3);
    expect(status.out).toContain("needs-human");
    await world.store("orders-db", good?.value ?? "", 90);
    await settled();
  });
});

/** The vault's own event of a new version has been served. */
function settled(): Promise<unknown> {
  return until("nothing is under way", async () => (await statusOf()).state === "ok");
}

const Rows = z.tuple([z.object({ secret: z.string(), state: z.string(), version: z.string() })]);

async function statusOf() {
  const { code, out } = await runCommand(world, ["status", secret, "--json"]);
  const [row] = Rows.parse(JSON.parse(out));
  return { ...row, code };
}

describe("status", () => {
  test("needs no Redis", async () => {
    const away = { KEYTURN_REDIS: "redis://127.0.0.1:1" };
    const { code, out, err } = await runCommand(world, ["status"], away);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^SECRET +STATE/);
    expect(out).toMatch(/prod-kv\/orders-db +ok +[0-9a-f]{8}/);
    for (const value of valuesOf()) expect(out.includes(value), "a value on stdout").toBe(false);
  });

  test("tells what is there before and after a rotation", async () => {
    const before = await statusOf();
    expect(before).toMatchObject({ secret, state: "ok", version: latestOf(world)?.version, code: 0 });
    expect((await runCommand(world, ["rotate", secret, "--wait"])).code).toBe(0);
    const after = await statusOf();
    expect(after).toMatchObject({ state: "ok", version: latestOf(world)?.version, code: 0 });
    expect(after.version).not.toBe(before.version);
  });
});

describe("what cannot be done is said, within seconds", () => {
  test.each([`rotate ${secret}`, `rotate ${secret} --wait`, "sweep", "dead-letters list"])(
    "Redis is away: %s",
    async (command) => {
      const away = { KEYTURN_REDIS: "redis://127.0.0.1:1" };
      const { code, out, err } = await runCommand(world, command.split(" "), away);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toBe("keyturn: unavailable: Redis is unreachable (ECONNREFUSED)\n");
    },
  );

  test("a secret that the policy does not name", async () => {
    const { code, err } = await runCommand(world, ["rotate", "prod-kv/other"]);
    expect(code).toBe(2);
    expect(err).toContain(secret);
  });

  test("a setting that is missing", async () => {
    const { code, err } = await runCommand(world, ["status"], { KEYTURN_REDIS: "" });
    expect(code).toBe(2);
    expect(err).toContain("KEYTURN_REDIS");
  });
});

test("a reader that goes away early is no failure", async () => {
  const command = startCommand(world, ["policy", "schema"]);
  command.stopReading();
  expect(await command.result).toMatchObject({ code: 0, err: "" });
});

describe("policy check", () => {
  test("of the policy in use is good", async () => {
    const file = world.workerEnvironment.KEYTURN_POLICY ?? "";
    const { code, out } = await runCommand(world, ["policy", "check", file]);
    expect({ code, out }).toEqual({ code: 0, out: `${file}: good; 1 secret(s) in 1 vault(s)\n` });
  });

  test("of a wrong file names the line", async () => {
    const file = join(world.folder, "wrong.yaml");
    await writeFile(
      file,
      "version: 1\ncloud: custom\nvaults: []\nsecrets:\n  - vault: nowhere\n    name: x\n",
    );
    const { code, err } = await runCommand(world, ["policy", "check", file]);
    expect(code).toBe(2);
    expect(err).toMatch(/wrong\.yaml:5:\d+/);
  });

  test("of no file says so", async () => {
    const { code, err } = await runCommand(world, ["policy", "check", join(world.folder, "none.yaml")]);
    expect(code).toBe(2);
    expect(err).toContain("cannot be read");
  });
});
