import { expect, test } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { createControl } from "./control.ts";
import { addQueue, addVault } from "./resources.ts";
import { createState, type VaultEvent } from "./state.ts";
import { setSecret } from "./key-vault/store.ts";
import type { NewMessage } from "./service-bus/server.ts";

function setUp() {
  const state = createState(createVirtualClock());
  const vault = addVault(state, "prod-kv");
  const version = setSecret(vault, "orders-db", { value: "hunter2" }, 1_800_000_000);
  addQueue(state, "rotate");
  const events: VaultEvent[] = [];
  const delivered: { queue: string; message: NewMessage }[] = [];
  const drops: string[] = [];
  const handle = createControl({
    state,
    emit: (event) => void events.push(event),
    serviceBus: {
      deliver: (queue, message) => void delivered.push({ queue, message }),
      dropConnections: () => void drops.push("dropped"),
    },
  });
  const call = async (method: string, path: string, body?: unknown) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return await handle(new Request(`http://127.0.0.1${path}`, { method, body: text ?? null }));
  };
  return { state, vault, version, events, delivered, drops, call };
}

test("a fault is set, listed and removed", async () => {
  const { call, state } = setUp();
  const answer = await call("PUT", "/faults", {
    service: "key-vault",
    match: "^PUT",
    status: 503,
    retryAfter: 2,
  });
  expect(answer.status).toBe(201);
  const rule = state.faults[0];
  expect(await answer.json()).toEqual(rule);
  expect(rule).toMatchObject({
    service: "key-vault",
    position: "before",
    status: 503,
    retryAfter: 2,
    times: 1,
  });
  expect(await (await call("GET", "/faults")).json()).toEqual([rule]);
  expect((await call("DELETE", `/faults/${rule?.id}`)).status).toBe(204);
  expect((await call("DELETE", `/faults/${rule?.id}`)).status).toBe(404);
  await call("PUT", "/faults", { service: "identity" });
  expect((await call("DELETE", "/faults")).status).toBe(204);
  expect(state.faults).toEqual([]);
});

test.for([
  ["PUT", "/faults", {}, "service"],
  ["PUT", "/faults", { service: "mail" }, "key-vault"],
  ["PUT", "/faults", { service: "identity", match: "(" }, "regular expression"],
  ["PUT", "/faults", { service: "identity", position: "during" }, "position"],
  ["PUT", "/faults", { service: "identity", id: "mine" }, "id"],
  ["PUT", "/faults", "no json", "expected object"],
  ["PUT", "/limits", { on: "yes" }, "on"],
  ["POST", "/events", { queue: "nowhere", body: "x" }, "nowhere"],
  ["POST", "/events", { type: "SecretExpired", vault: "prod-kv", name: "none" }, "prod-kv/none"],
] as const)("%s %s %j is a bad request that says why", async ([method, path, body, reason]) => {
  const answer = await setUp().call(method, path, body);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain(reason);
});

test("the state hides values unless they are asked for", async () => {
  const { call, version } = setUp();
  const masked = await (await call("GET", "/state")).text();
  expect(masked).not.toContain("hunter2");
  expect(JSON.parse(masked).vaults["prod-kv"].secrets["orders-db"].versions).toMatchObject([
    { version: version.version, value: "[secret]" },
  ]);
  expect(await (await call("GET", "/state?values=1")).text()).toContain("hunter2");
});

test("an event of a vault goes through its subscriptions, a message straight into its queue", async () => {
  const { call, events, delivered, vault, version } = setUp();
  const event = { type: "SecretNearExpiry", vault: "prod-kv", name: "Orders-DB" };
  expect((await call("POST", "/events", event)).status).toBe(202);
  expect(events).toEqual([
    { type: "Microsoft.KeyVault.SecretNearExpiry", vault, name: "orders-db", version },
  ]);
  await call("POST", "/events", { queue: "rotate", body: "not { json", messageId: "one" });
  await call("POST", "/events", { queue: "rotate", body: { some: "object" } });
  expect(delivered).toMatchObject([
    { queue: "rotate", message: { body: "not { json", messageId: "one" } },
    { queue: "rotate", message: { body: '{"some":"object"}' } },
  ]);
});

test("limits are switched, and AMQP connections cut", async () => {
  const { call, state, drops } = setUp();
  await call("PUT", "/limits", { on: true });
  expect(state.limits).toBe(true);
  expect((await call("POST", "/amqp/drop")).status).toBe(204);
  expect(drops).toEqual(["dropped"]);
});

test("the help names every path", async () => {
  const text = await (await setUp().call("GET", "/")).text();
  for (const path of ["/faults", "/state", "/events", "/limits", "/amqp/drop"]) expect(text).toContain(path);
  expect((await setUp().call("GET", "/nothing")).status).toBe(404);
});
