import { afterEach, describe, expect, test } from "vitest";
import { Fault } from "../../src/errors.ts";
import type { Request } from "../../src/request.ts";
import type { BoundRotator } from "../../src/rotators/rotator.ts";
import type { Act } from "../../src/rotation/model/action.ts";
import { readRecord } from "../../src/rotation/record/tags.ts";
import { rotationId } from "../../src/rotation/record/rotation-id.ts";
import { type Conclusion, reconcile } from "../../src/rotation/reconcile.ts";
import { postgresRole } from "../crash/scenarios/log-ins.ts";
import { createWorld, type World } from "../crash/world.ts";
import { captureLog } from "../support/capture-log.ts";
import { hour } from "./decide/rules.ts";

const minute = 60_000;
const due: Request = { trigger: "near-expiry", mode: "routine", requestId: "q" };
const byHand = "postgresql://orders_a:by-hand@orders.postgres.database.azure.com:5432/orders";
const worlds: World[] = [];

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

interface Options {
  readonly days?: number;
  readonly overlap?: "dual" | "single";
  readonly dependents?: readonly string[];
}

/** A world with one secret that expires in so many days, and no job but the runs that the test makes. */
async function secretWith({ days = 29, overlap = "dual", dependents = [] }: Options = {}) {
  const world = await createWorld(postgresRole(overlap), { dependents });
  worlds.push(world);
  const { ground } = world;
  if (dependents.length > 0) await ground.begin();
  else await ground.store(ground.provider.first, days);
  const { ports } = world.startWorker();
  const [secret] = ports.policy.secrets;
  if (!secret) throw new Error("the policy has no secret");
  const { log, lines } = captureLog();
  const told = { done: [] as string[], failed: [] as string[], rotations: new Set<string>() };

  const run = (change: Change = {}): Promise<Conclusion> => {
    const { request = due, agreed = true, rotator = {}, afterAct } = change;
    return reconcile({
      secret: { ...secret, rotator: { ...secret.rotator, ...rotator } },
      cause: request,
      ports: { ...ports, log, agreed: async () => agreed },
      signal: change.signal ?? new AbortController().signal,
      async done({ kind }, rotation) {
        told.done.push(kind);
        told.rotations.add(rotation);
        await afterAct?.(kind);
      },
      async failed({ kind }) {
        told.failed.push(kind);
      },
    });
  };
  const versions = () => ground.snapshot().versions;
  const tagsOf = (index: number) => readRecord(versions().at(index)?.tags ?? {});
  return { world, ground, secret, run, told, lines, versions, tagsOf };
}

interface Change {
  readonly request?: Request;
  readonly agreed?: boolean;
  readonly rotator?: Partial<BoundRotator>;
  readonly signal?: AbortSignal;
  readonly afterAct?: (kind: Act["kind"]) => void | Promise<void>;
}

const toPublish = ["write-intent", "park", "apply", "publish", "settle-pending"];

describe("one run", () => {
  test("goes as far as it can, and reports each act once under the rotation's id", async () => {
    const { run, told, secret, versions } = await secretWith();
    const { action, rotation } = await run();
    expect(told.done).toEqual(toPublish);
    expect(action).toMatchObject({ kind: "wait", reason: "overlap" });
    const [first] = versions();
    expect(rotation).toBe(rotationId(secret.vault.id, secret.name, first?.version ?? ""));
    expect([...told.rotations]).toEqual([rotation]);
  });

  test("does nothing where nothing is due, and says until when", async () => {
    const { run, told } = await secretWith({ days: 90 });
    expect((await run()).action).toMatchObject({ kind: "idle", reason: "not-due" });
    expect(told.done).toEqual([]);
  });

  test("ends where the readers have to be restarted, and names them", async () => {
    const { run, told } = await secretWith({ dependents: ["orders-api"] });
    const { action, snapshot } = await run();
    expect(told.done).toEqual(toPublish);
    expect(action).toMatchObject({ kind: "roll", groups: [expect.stringMatching(/\/orders-api$/i)] });
    expect(snapshot.facts.dependents?.unconfirmed).toHaveLength(1);
  });

  test("goes on where an earlier one has ended", async () => {
    const { run, told, ground, versions } = await secretWith();
    await run();
    await ground.clock.advance(3 * hour);
    expect((await run()).action.kind).toBe("idle");
    expect(told.done).toEqual([...toPublish, "revoke", "close"]);
    expect(versions().map(({ enabled }) => enabled)).toEqual([false, true]);
  });

  test("reads again at once where somebody stored a version before it could publish", async () => {
    const { run, told, ground, versions, secret } = await secretWith();
    const { action } = await run({
      rotator: {
        async verify(credential, context) {
          await secret.rotator.verify(credential, context);
          await ground.store(byHand, 60);
        },
      },
    });
    expect(told.done).toEqual(["write-intent", "park", "apply"]);
    expect(told.failed).toEqual([]);
    expect(versions().map(({ value }) => value)).toEqual([ground.provider.first, byHand]);
    expect(action).toMatchObject({ kind: "stop", code: "foreign-version" });
  });

  test("ends before the next act when it is to stop", async () => {
    const { run, told } = await secretWith();
    const stop = new AbortController();
    const running = run({
      signal: stop.signal,
      afterAct: (kind) => (kind === "park" ? stop.abort(new Fault("cancelled", "stopping")) : undefined),
    });
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    expect(told.done).toEqual(["write-intent", "park"]);
  });
});

describe("a provider that does not show yet what it has taken", () => {
  const spreading = {
    verify: () => Promise.reject(new Fault("propagation-pending", "not everywhere yet")),
  };

  test("is asked again some seconds later, and nothing counts as failed", async () => {
    const { run, tagsOf, ground } = await secretWith();
    const { action } = await run({ rotator: spreading });
    expect(action).toEqual({ kind: "wait", until: ground.clock.now() + 5_000, reason: "propagation" });
    expect(tagsOf(-1).hold).toBeUndefined();
  });

  test("is given ten minutes from the parking on; then the candidate counts as rejected", async () => {
    const { run, told, tagsOf, ground } = await secretWith();
    await run({ rotator: spreading });
    await ground.clock.advance(9 * minute);
    expect((await run({ rotator: spreading })).action).toMatchObject({ reason: "propagation" });
    await ground.clock.advance(minute);
    await expect(run({ rotator: spreading })).rejects.toMatchObject({ code: "credential-rejected" });
    expect(told.failed).toEqual(["publish"]);
    expect(tagsOf(-1).hold).toEqual({ failures: 1 });
  });

  test("is not told the same twice in a row", async () => {
    const { run, told } = await secretWith();
    const deaf = { apply: () => Promise.resolve() };
    expect((await run({ rotator: deaf })).action).toMatchObject({ kind: "wait", reason: "propagation" });
    expect(told.done).toEqual(["write-intent", "park", "apply"]);
  });
});

describe("an act that fails for good", () => {
  const denied = { apply: () => Promise.reject(new Fault("forbidden", "no right to change it")) };

  test("is counted on the secret before its fault is thrown", async () => {
    const { run, told, tagsOf } = await secretWith();
    await expect(run({ rotator: denied })).rejects.toMatchObject({ code: "forbidden" });
    expect(told.failed).toEqual(["apply"]);
    expect(tagsOf(-1).hold).toEqual({ failures: 1 });
  });

  test("ends in quarantine after as many attempts as the policy allows", async () => {
    const { run, secret, tagsOf } = await secretWith();
    for (let attempt = 1; attempt <= secret.attempts; attempt += 1)
      await expect(run({ rotator: denied })).rejects.toMatchObject({ code: "forbidden" });
    expect(tagsOf(-1).hold).toEqual({ failures: secret.attempts, quarantined: "forbidden" });
    expect((await run()).action).toMatchObject({ kind: "stop", code: "quarantined" });
  });

  test("is no reason to count where it passes without anybody's help", async () => {
    const { run, told, tagsOf } = await secretWith();
    const away = { apply: () => Promise.reject(new Fault("unavailable", "it does not answer")) };
    await expect(run({ rotator: away })).rejects.toMatchObject({ code: "unavailable" });
    expect(told.failed).toEqual([]);
    expect(tagsOf(-1).hold).toBeUndefined();
  });
});

describe("while workers act by different policies", () => {
  test("nothing is retired", async () => {
    const { run, told, ground } = await secretWith();
    await run();
    await ground.clock.advance(3 * hour);
    expect((await run({ agreed: false })).action).toMatchObject({ kind: "wait", reason: "agreement" });
    expect(told.done).toEqual(toPublish);
  });

  test("a leak waits for nobody", async () => {
    const { run, told, versions } = await secretWith({ days: 90 });
    const version = versions().at(-1)?.version ?? "";
    await run({
      agreed: false,
      request: { trigger: "manual", mode: "compromised", requestId: "q", version },
    });
    expect(told.done).toContain("revoke");
    expect(told.done.at(-1)).toBe("close");
  });
});

test("what a person has named is revoked once, and then the run goes on as if it had only been reminded", async () => {
  const { run, told, versions, ground } = await secretWith({ days: 90 });
  const version = versions().at(-1)?.version ?? "";
  const request: Request = {
    trigger: "manual",
    mode: "revoke",
    subject: "orders_b",
    requestId: "q",
    version,
  };
  const { action } = await run({ request });
  expect(told.done).toEqual(["revoke"]);
  expect(action).toMatchObject({ kind: "idle", reason: "not-due" });
  expect(ground.snapshot().live?.has(ground.provider.first)).toBe(true);
});

test("every act has an audit line with who asked and why, and none holds a value", async () => {
  const { run, told, lines, versions } = await secretWith();
  const request = { ...due, actor: "ada", reason: "trying it" };
  await run({ request });
  const audit = lines().filter((line) => line.audit === true);
  expect(audit).toHaveLength(told.done.length);
  for (const line of audit)
    expect(line).toMatchObject({ secret: "prod-kv/orders-db", actor: "ada", reason: "trying it" });
  for (const { value } of versions()) expect(JSON.stringify(audit)).not.toContain(value);
});

test("a single credential is set back before its rotation is given up", async () => {
  const { run, ground, tagsOf } = await secretWith({ overlap: "single" });
  const rejecting = {
    verify: () => Promise.reject(new Fault("credential-rejected", "it does not log in")),
  };
  await expect(run({ rotator: rejecting })).rejects.toMatchObject({ code: "credential-rejected" });
  expect(ground.snapshot().live?.has(ground.provider.first)).toBe(false);
  for (let more = 0; more < 20 && tagsOf(-1).hold?.quarantined === undefined; more += 1)
    await run({ rotator: rejecting }).catch(() => {});
  expect(tagsOf(-1).hold?.quarantined).toBe("credential-rejected");
  expect((await run({ rotator: rejecting })).action).toMatchObject({ kind: "stop", code: "quarantined" });
  expect(ground.snapshot().live?.has(ground.provider.first)).toBe(true);
});
