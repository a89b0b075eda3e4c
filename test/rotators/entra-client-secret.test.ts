import { beforeEach, describe, expect, test } from "vitest";
import { entraClientSecret } from "../../src/rotators/entra-client-secret.ts";
import type { BoundRotator } from "../../src/rotators/rotator.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { addPassword, type PasswordOptions } from "../local-azure/resources.ts";
import type { ApplicationState, PasswordState } from "../local-azure/state.ts";
import { type GraphInMemory, graphInMemory } from "../support/graph-in-memory.ts";
import { providersWith } from "../support/providers.ts";
import { createVirtualClock, type VirtualClock } from "../support/virtual-clock.ts";

const label = "keyturn:prod-kv/orders-api";
const rotation = `r-${"a".repeat(26)}`;
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];

let clock: VirtualClock;
let world: GraphInMemory;
let application: ApplicationState;
let bound: BoundRotator;

beforeEach(async () => {
  clock = createVirtualClock();
  world = await graphInMemory(clock);
  ({ application } = world);
  bound = entraClientSecret.on(target());
});

function target(more: object = {}) {
  return {
    tenant: world.state.tenantId,
    application: application.objectId,
    client: application.appId,
    ...more,
  };
}

function context() {
  const { signal } = new AbortController();
  return { providers: providersWith({ graph: world.graph }), now: clock.now(), signal, label };
}

function mint(rotator = bound, expiresAt = clock.now() + 90 * day) {
  return rotator.mint({ slot: "", label: `${label}:${rotation}`, expiresAt }, context());
}

/** A client secret that is there already; old enough to work everywhere, unless told otherwise. */
function existing(options: PasswordOptions = {}): PasswordState {
  return addPassword(world.state, application, { start: clock.now() - 2 * hour, ...options });
}

function ours(attempt: string): PasswordOptions {
  return { displayName: `${label}:${rotation}:${attempt}` };
}

/** What the secret's text holds: no id, as long as no record names one. */
function holding({ value }: PasswordState, id = "") {
  return { id, value: new SecretValue(value) };
}

const keyIds = () => application.passwords.map(({ keyId }) => keyId);

describe("the target", () => {
  test("owns the application in its tenant, however the ids are written and whatever else it says", () => {
    const shouting = target({ application: application.objectId.toUpperCase(), validDays: 30 });
    expect(entraClientSecret.on(shouting).owns).toEqual(bound.owns);
    expect(bound.owns).toEqual([`entra://${world.state.tenantId}/${application.objectId}`]);
    expect(bound).toMatchObject({ origin: "minted", overlap: "dual", slots: [], template: "{password}" });
    expect(bound.fields("x")).toEqual({ client: application.appId, tenant: world.state.tenantId });
  });

  test.each([
    [{ application: "orders-api" }, "GUID"],
    [{ tenant: "contoso.onmicrosoft.com" }, "GUID"],
    [{ validDays: 731 }, "730"],
    [{ validDays: 0 }, "1"],
  ])("%j is refused: %s", (wrong, reason) => {
    expect(() => entraClientSecret.on(target(wrong))).toThrow(reason);
  });

  test("an object id and a client id of two applications are noticed before anything is made", async () => {
    const other = world.addApplication("billing");
    const mixed = entraClientSecret.on(target({ client: other.appId }));
    for (const act of [mint(mixed), mixed.observe([], context())])
      await expect(act).rejects.toMatchObject({ code: "target-missing" });
    expect(keyIds()).toEqual([]);
  });
});

describe("minting", () => {
  test("names the credential after secret, rotation and attempt, and lets it live as long as its version", async () => {
    const expiresAt = clock.now() + 90 * day;
    const { id } = await mint();
    const [password] = application.passwords;
    expect(password?.displayName).toMatch(new RegExp(`^${label}:${rotation}:[0-9a-f]{6}$`));
    expect(password).toMatchObject({ keyId: id, end: expiresAt });
  });

  test("a longer life is given if the target says so, a shorter one never", async () => {
    await mint(entraClientSecret.on(target({ validDays: 365 })));
    await mint(entraClientSecret.on(target({ validDays: 7 })));
    expect(application.passwords.map(({ end }) => (end - clock.now()) / day)).toEqual([365, 90]);
  });

  test("removes nothing, and stops at three live ones of ours", async () => {
    const others = [
      existing(),
      existing({ displayName: "deploy pipeline" }),
      existing({ displayName: label }),
    ];
    const expired = existing({ ...ours("old"), end: clock.now() - day });
    await mint();
    await mint();
    const third = await mint();
    await expect(mint()).rejects.toMatchObject({ code: "too-many-credentials", kind: "needs-human" });
    expect(keyIds()).toEqual(expect.arrayContaining([...others, expired].map(({ keyId }) => keyId)));
    expect(keyIds()).toHaveLength(7);
    await bound.revoke(third.id, context());
    await expect(mint()).resolves.toBeDefined();
  });

  test("counts only its own secret's, not those of another one on the same application", async () => {
    for (const name of ["orders-api2", "orders", "orders-api-eu"])
      existing({ displayName: `keyturn:prod-kv/${name}:${rotation}:aa` });
    await expect(mint()).resolves.toBeDefined();
  });

  test("Graph's own limit is for a person; other changes in the tenant and throttling are waited for", async () => {
    application.passwordLimit = 0;
    await expect(mint()).rejects.toMatchObject({ code: "too-many-credentials" });
    application.passwordLimit = undefined;
    const fault = { service: "graph", match: "addPassword", position: "before", times: 1 } as const;
    const message = "Error due to concurrent requests being made to the tenant.";
    world.state.faults.push({ ...fault, id: "1", status: 400, code: "Request_BadRequest", message });
    await expect(mint()).rejects.toMatchObject({ code: "throttled", kind: "retriable" });
    world.state.faults.push({ ...fault, id: "2", status: 429, retryAfter: 30 });
    await expect(mint()).rejects.toMatchObject({ code: "throttled", retryAfter: 30_000 });
    expect(keyIds()).toEqual([]);
  });
});

describe("propagation", () => {
  test("a young credential that does not work yet is unknown, then accepted; verifying waits with it", async () => {
    world.state.passwordDelay = 10_000;
    const minted = await mint();
    expect((await bound.observe([minted], context())).accepts).toEqual(["unknown"]);
    await expect(bound.verify(minted, context())).rejects.toMatchObject({ code: "propagation-pending" });
    await clock.advance(10_000);
    expect(await bound.observe([minted], context())).toMatchObject({
      accepts: ["accepted"],
      ids: [minted.id],
    });
    await expect(bound.verify(minted, context())).resolves.toBeUndefined();
  });

  test("what propagation cannot explain any more is a refusal", async () => {
    world.state.passwordDelay = hour;
    const minted = await mint();
    await clock.advance(bound.propagation);
    expect((await bound.observe([minted], context())).accepts).toEqual(["rejected"]);
    await expect(bound.verify(minted, context())).rejects.toMatchObject({ code: "credential-rejected" });
  });

  test("a value that is not the young credential's is rejected at once", async () => {
    const { id } = await mint();
    const wrong = { id, value: new SecretValue("###-something-else") };
    await expect(bound.verify(wrong, context())).rejects.toMatchObject({ code: "credential-rejected" });
  });

  test("one that still works but is listed no more is unknown until sign-in is refused as well", async () => {
    const minted = await mint();
    const [password] = application.passwords;
    world.intercept = async ({ method, url }) =>
      method === "GET" && url.includes("applications")
        ? Response.json({ appId: application.appId, passwordCredentials: [] })
        : undefined;
    expect((await bound.observe([minted], context())).accepts).toEqual(["unknown"]);
    application.passwords.length = 0;
    expect((await bound.observe([minted], context())).accepts).toEqual(["rejected"]);
    expect(password?.keyId).toBe(minted.id);
  });

  test("an expired one is refused, and so is one of which nobody has heard", async () => {
    const expired = existing({ end: clock.now() - minute });
    const known = [holding(expired, expired.keyId), { id: "", value: new SecretValue("never-heard-of") }];
    expect((await bound.observe(known, context())).accepts).toEqual(["rejected", "rejected"]);
  });
});

describe("adoption", () => {
  test("a value without an id is found by its hint and proven by a sign-in", async () => {
    existing();
    const wanted = existing();
    existing();
    expect(await bound.observe([holding(wanted)], context())).toMatchObject({
      accepts: ["accepted"],
      ids: [wanted.keyId],
    });
  });

  test("if two share the hint it works, but no id is guessed", async () => {
    const one = existing({ value: "abc8Q~one-one-one-one" });
    existing({ value: "abc8Q~two-two-two-two" });
    const { accepts, ids } = await bound.observe([holding(one)], context());
    expect(accepts).toEqual(["accepted"]);
    expect(ids).toEqual([undefined]);
  });

  test("a hint that fits a value which does not work gives it no id", async () => {
    existing({ value: "abc8Q~one-one-one-one" });
    const wrong = { id: "", value: new SecretValue("abc8Q~something-else") };
    expect(await bound.observe([wrong], context())).toMatchObject({
      accepts: ["rejected"],
      ids: [undefined],
    });
  });

  test("a record that names another credential than the value is one of is corrected", async () => {
    const [named, real] = [existing({ value: "abc8Q~named" }), existing({ value: "xyz8Q~real" })];
    const { accepts, ids } = await bound.observe([holding(real, named.keyId)], context());
    expect(accepts).toEqual(["accepted"]);
    expect(ids).toEqual([real.keyId]);
  });

  test("an old credential without a hint is believed by its recorded id, whatever the case", async () => {
    const old = existing({ hint: null });
    const { accepts, ids } = await bound.observe([holding(old, old.keyId.toUpperCase())], context());
    expect(accepts).toEqual(["accepted"]);
    expect(ids).toEqual([old.keyId]);
  });
});

describe("orphans", () => {
  test("what a lost answer left behind is found after an hour, and only that is removed", async () => {
    const foreign = [
      existing(),
      existing({ displayName: "keyturn" }),
      existing({ displayName: `${label}-2:r:a` }),
    ];
    const inUse = existing(ours("used"));
    world.state.faults.push({ id: "1", service: "graph", match: "addPassword", position: "lost", times: 1 });
    await expect(mint()).rejects.toMatchObject({ code: "unavailable" });
    const lost = application.passwords.at(-1)?.keyId;
    const minted = await mint();
    const known = [holding(inUse, inUse.keyId), minted];
    expect((await bound.observe(known, context())).orphans).toEqual([]);
    await clock.advance(hour);
    const { orphans } = await bound.observe(known, context());
    expect(orphans).toEqual([lost]);
    for (const orphan of orphans ?? []) await bound.revoke(orphan, context());
    expect(keyIds().toSorted()).toEqual(
      [...foreign, inUse]
        .map(({ keyId }) => keyId)
        .concat(minted.id)
        .toSorted(),
    );
  });

  test("one that a known value without an id could be is none", async () => {
    const [one, twin] = [
      existing({ ...ours("one"), value: "abc8Q~one-one-one-one" }),
      existing({ ...ours("two"), value: "abc8Q~two-two-two-two" }),
    ];
    const hintless = existing({ ...ours("old"), hint: null });
    const other = existing({ ...ours("three"), value: "xyz8Q~three" });
    const { orphans } = await bound.observe([holding(one)], context());
    expect(orphans).toEqual([other.keyId]);
    const { orphans: told } = await bound.observe([holding(one, one.keyId)], context());
    expect(told).toEqual([twin.keyId, hintless.keyId, other.keyId]);
  });

  test("the longest secret name is recognised in what Graph leaves of it", async () => {
    const long = `keyturn:${"v".repeat(24)}/${"n".repeat(118)}`;
    const minting = { slot: "", label: `${long}:${rotation}`, expiresAt: clock.now() + 90 * day };
    const { id } = await bound.mint(minting, context());
    await clock.advance(hour);
    expect((await bound.observe([], { ...context(), label: long })).orphans).toEqual([id]);
    expect((await bound.observe([], { ...context(), label: `${long.slice(0, -1)}m` })).orphans).toEqual([]);
  });

  test("without knowing whose they are, none is reported", async () => {
    existing(ours("one"));
    const { label: _, ...nameless } = context();
    expect((await bound.observe([], nameless)).orphans).toEqual([]);
  });
});

describe("looking", () => {
  test("changes nothing: it reads once and signs in once for each value", async () => {
    const [one, other] = [existing(), existing(ours("one"))];
    const before = world.calls.length;
    await bound.observe([holding(one), holding(other)], context());
    expect(world.calls.slice(before).map((call) => call.split(" ")[0])).toEqual(["GET", "POST", "POST"]);
    expect(keyIds()).toEqual([one.keyId, other.keyId]);
  });

  test("trouble with signing in is a fault, not a refusal", async () => {
    const one = existing();
    world.intercept = async ({ url }) =>
      url.includes("oauth2") ? Response.json({ error_codes: [90033] }, { status: 400 }) : undefined;
    await expect(bound.observe([holding(one)], context())).rejects.toMatchObject({ code: "unavailable" });
  });
});
