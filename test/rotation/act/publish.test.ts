import { afterEach, beforeEach, expect, test } from "vitest";
import { newVersion, publish, refuseIfMoved } from "../../../src/rotation/act/publish.ts";
import type { Scene } from "../../../src/rotation/act/scene.ts";
import { Fault } from "../../../src/errors.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { day } from "../decide/rules.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const byHand = "postgresql://orders_a:by-hand@orders.postgres.database.azure.com:5432/orders";
const rotation = "r-".padEnd(28, "a");
const { signal } = new AbortController();
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"), { dependents: ["api", "jobs"] });
});

afterEach(() => steps.world.close());

function store(): Promise<void> {
  return steps.world.ground.store(byHand, 60);
}

/** What was read of latest when the decision was made, and the refusal to write over anything else. */
function refusal({ secret, observed, ports }: Scene): Promise<unknown> {
  return refuseIfMoved(secret, observed.latest?.stored, { ports, signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
}

function disable(place: number): Promise<unknown> {
  const { version } = steps.versions().at(place) ?? { version: "" };
  const vault = steps.world.alive()[0]?.ports.vaults.get("prod-kv");
  return vault?.update("orders-db", version, { enabled: false }, signal) ?? Promise.resolve();
}

test("nothing speaks against a publish as long as latest is what the decision was made on", async () => {
  const { scene } = await steps.next();
  expect(await refusal(scene)).toBeUndefined();
});

test("a publish is refused if somebody has stored another version meanwhile", async () => {
  const { scene } = await steps.next();
  await steps.world.ground.clock.advance(5_000);
  await store();
  expect(await refusal(scene)).toMatchObject({ code: "superseded", secret: "prod-kv/orders-db" });
});

test("a publish is refused if somebody has disabled latest meanwhile", async () => {
  const { scene } = await steps.next();
  await disable(-1);
  expect(await refusal(scene)).toMatchObject({ code: "superseded" });
});

test("a publish is refused if another version was made in the same second and both are disabled: any may be latest", async () => {
  await steps.world.ground.clock.advance(5_000);
  await store();
  await disable(-1);
  const { scene } = await steps.next({
    trigger: "manual",
    mode: "compromised",
    requestId: "q",
    version: steps.versions().at(-1)?.version,
  });
  expect(await refusal(scene)).toBeUndefined();
  await store();
  await disable(-1);
  const versions = steps.world.ground.vault.secrets.get("orders-db")?.versions ?? [];
  const [last] = versions.slice(-1);
  // A vault may list them in any order, such as by their ids.
  for (const digit of ["0", "f"]) {
    if (last) versions.splice(-1, 1, { ...last, version: digit.repeat(32) });
    expect(await refusal(scene)).toMatchObject({ code: "superseded" });
  }
});

test("a publish of a secret that had no version is refused once there is one", async () => {
  const { scene } = await steps.next();
  const { secret, ports } = scene;
  await expect(
    refuseIfMoved({ ...secret, name: "not-there" }, undefined, { ports, signal }),
  ).resolves.toBeUndefined();
  await expect(refuseIfMoved(secret, undefined, { ports, signal })).rejects.toMatchObject({
    code: "superseded",
  });
});

test("what is published is the candidate's text, with expiry, content type, readers and tags in one write", async () => {
  Object.assign(steps.versions()[0]?.tags ?? {}, { team: "orders" });
  await publish(await steps.upTo("publish"), rotation);
  const [from, published, ...more] = steps.versions();
  const candidate = steps.versions("orders-db--pending").at(-1);
  expect(more).toEqual([]);
  expect(published?.value).toBe(candidate?.value);
  expect(published).toMatchObject({ enabled: true, contentType: "text/plain", tags: { team: "orders" } });
  expect((published?.exp ?? 0) * 1000).toBe(steps.world.ground.clock.now() + 90 * day);
  expect(steps.record()).toMatchObject({
    rotation,
    from: from?.version,
    credential: expect.stringMatching(/^orders_[ab]$/),
    dependents: expect.stringMatching(/^2 /),
    state: "published",
    intent: undefined,
    hold: undefined,
  });
});

test("that the replaced value is leaked is written down with the publish", async () => {
  const { scene } = await steps.next();
  await steps.take({ kind: "write-intent", mode: "compromised" }, scene);
  await publish(await steps.upTo("publish"), rotation);
  expect(steps.record()).toMatchObject({ intent: undefined, hold: { leaked: true } });
});

test("a candidate that the provider rejects right before the publish is not published", async () => {
  const scene = await steps.upTo("publish");
  const verify = () => Promise.reject(new Fault("credential-rejected", "rejected"));
  const rejecting = { ...scene, secret: { ...scene.secret, rotator: { ...scene.secret.rotator, verify } } };
  await expect(publish(rejecting, rotation)).rejects.toMatchObject({ code: "credential-rejected" });
  expect(steps.versions()).toHaveLength(1);
});

test("the content type is the policy's where it names one, else what the replaced version had", async () => {
  const { scene } = await steps.next();
  const value = new SecretValue("x");
  const typed = { ...scene, secret: { ...scene.secret, contentType: "application/json" } };
  expect((await newVersion(typed, value, {})).contentType).toBe("application/json");
  expect((await newVersion(scene, value, {})).contentType).toBe("text/plain");
});
