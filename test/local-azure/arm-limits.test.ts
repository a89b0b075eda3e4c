import { expect, test } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { withArmLimits } from "./arm-limits.ts";
import { addIdentity } from "./resources.ts";
import { createState } from "./state.ts";
import { createTokenAuthority } from "./tokens.ts";

async function setUp() {
  const clock = createVirtualClock();
  const state = createState(clock);
  state.limits = true;
  const tokens = await createTokenAuthority(state);
  let asked = 0;
  const handle = withArmLimits(state, async () => Response.json({ asked: ++asked }));
  const caller = async (name: string) => {
    const { token } = await tokens.issue(addIdentity(state, name), "https://management.azure.com");
    const headers = { authorization: `Bearer ${token}` };
    return (method: string) => handle(new Request("https://localhost/subscriptions/x", { method, headers }));
  };
  return { clock, state, caller, asked: () => asked };
}

test("each kind of operation of each principal has a bucket of its own, and answers tell what is left", async () => {
  const { caller, clock, asked } = await setUp();
  const [one, two] = [await caller("one"), await caller("two")];
  for (let index = 0; index < 200; index++) await one("POST");
  const refused = await one("PUT");
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ error: { code: "SubscriptionRequestsThrottled" } });
  expect(asked()).toBe(200);
  expect((await one("DELETE")).headers.get("x-ms-ratelimit-remaining-subscription-deletes")).toBe("199");
  expect((await one("GET")).headers.get("x-ms-ratelimit-remaining-subscription-reads")).toBe("249");
  expect((await two("POST")).status).toBe(200);
  await clock.advance(1_000);
  expect((await one("PUT")).headers.get("x-ms-ratelimit-remaining-subscription-writes")).toBe("9");
});

test("a refused call is on record", async () => {
  const { caller, state } = await setUp();
  const one = await caller("one");
  for (let index = 0; index < 251; index++) await one("GET");
  expect(state.calls).toMatchObject([{ call: "GET /subscriptions/x", status: 429 }]);
});
