import fc from "fast-check";
import { expect, test } from "vitest";
import { fixedSeed } from "../crash/random.ts";
import { createRotateSecret } from "../../jobs/rotate-secret.ts";
import { createVaults } from "../../src/azure/key-vault.ts";
import { toFault } from "../../src/errors.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { type JobContext, RotateSecret } from "../../src/queue/contracts.ts";
import { azureKey } from "../../src/rotators/azure-key.ts";
import { createKeyVault } from "../local-azure/key-vault.ts";
import { keyNamed, regenerate } from "../local-azure/keys/resources.ts";
import type { KeyedResourceState } from "../local-azure/keys/state.ts";
import { addVault, grant } from "../local-azure/resources.ts";
import type { SecretVersionState } from "../local-azure/state.ts";
import { captureLog } from "../support/capture-log.ts";
import { keysInMemory } from "../support/keys-in-memory.ts";
import { providersWith } from "../support/providers.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const day = 24 * 3600;
const host = "orders.blob.core.windows.net";
const name = "blob-store";

/** What happens to one secret: people, time, broken calls, and keyturn's turns in between. */
type Event =
  | { readonly kind: "turn"; readonly trigger: "sweep" | "manual" | "nudge" | "new-version" }
  | { readonly kind: "later"; readonly days: number }
  | { readonly kind: "store"; readonly text: "key1" | "key2" | "foreign"; readonly days: number }
  | { readonly kind: "regenerate"; readonly key: "key1" | "key2" }
  | { readonly kind: "break"; readonly match: string; readonly position: "before" | "lost" };

const anEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("turn" as const),
      trigger: fc.constantFrom("sweep" as const, "manual" as const, "nudge" as const, "new-version" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("later" as const), days: fc.constantFrom(1, 40, 100) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("store" as const),
      text: fc.constantFrom("key1" as const, "key2" as const, "foreign" as const),
      days: fc.constantFrom(20, 90),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("regenerate" as const),
      key: fc.constantFrom("key1" as const, "key2" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("break" as const),
      match: fc.constantFrom(
        "regenerateKey",
        `PUT /secrets/${name}$`,
        `PUT /secrets/${name}--pending`,
        "PATCH",
      ),
      position: fc.constantFrom("before" as const, "lost" as const),
    }),
  },
);

async function createWorld() {
  const clock = createVirtualClock();
  const world = await keysInMemory({ clock });
  const { state, tokens, identity, credential, client } = world;
  state.tokenLifetime = 20 * 365 * day;
  const account = world.add("Microsoft.Storage/storageAccounts/orders", { host });
  const vault = addVault(state, "prod-kv");
  grant(state, identity.principalId, "Keyturn Secrets", vault.id);
  const service = createKeyVault(state, tokens, vault, {
    emit: () => {},
    authority: "https://login.microsoftonline.com",
  });
  world.route("prod-kv.vault.azure.net", service.handle);
  const policy = loadPolicy(
    `{ version: 1, vaults: [{ id: "${vault.id}" }], scopes: ["/subscriptions/${state.subscriptionId}/resourceGroups/apps"],
       defaults: { overlap: 1h },
       secrets: [{ vault: prod-kv, name: ${name}, rotator: azure-key, target: { resource: "${account.id}" } }] }`,
    { file: "policy.yaml", rotators: [azureKey] },
  );
  const none = () => Promise.reject(new Error("there are no dependents"));
  async function* nothing() {}
  const job = createRotateSecret({
    agreed: async () => true,
    policy,
    clock,
    log: captureLog().log,
    vaults: createVaults(policy.vaults, { credential, verifyChallenge: true, client }),
    groups: { get: none, restart: none, list: nothing },
    providers: providersWith({ azureKeys: world.azureKeys }),
  });
  const versions = () => vault.secrets.get(name)?.versions ?? [];
  return { ...world, clock, account, service, job, versions, watched: watch(account, versions) };
}

type World = Awaited<ReturnType<typeof createWorld>>;

/** Keeps an eye on the keys: which did keyturn replace while the latest version of the secret held them? */
function watch(account: KeyedResourceState, versions: () => readonly SecretVersionState[]) {
  const seen = { byHand: false, wrong: [] as string[] };
  for (const key of account.keys) {
    let { value } = key;
    Object.defineProperty(key, "value", {
      get: () => value,
      set(next: string) {
        if (!seen.byHand && versions().at(-1)?.value === value) seen.wrong.push(key.name);
        value = next;
      },
    });
  }
  return seen;
}

async function play(world: World, event: Event): Promise<void> {
  const { clock, account, state, watched } = world;
  switch (event.kind) {
    case "turn":
      return await takeTurn(world, event.trigger);
    case "later":
      return await clock.advance(event.days * day * 1000);
    case "store":
      return await store(
        world,
        event.text === "foreign" ? "foreign" : keyNamed(account, event.text).value,
        event.days,
      );
    case "regenerate":
      watched.byHand = true;
      regenerate(account, keyNamed(account, event.key), clock);
      watched.byHand = false;
      return;
    case "break":
      for (const service of ["resource-manager", "key-vault"] as const)
        state.faults.push({ id: "fault", service, times: 1, match: event.match, position: event.position });
      return;
    default:
      event satisfies never;
  }
}

async function takeTurn({ job, versions }: World, trigger: RotateSecret["trigger"]): Promise<void> {
  const { signal } = new AbortController();
  const context: JobContext = {
    jobId: "1",
    attempt: 1,
    signal,
    progress: async () => {},
    enqueue: async () => "1",
    remember: async () => {},
    withLock: (_key, work) => work(signal),
  };
  const version = trigger === "nudge" || trigger === "sweep" ? undefined : versions().at(-1)?.version;
  const data = RotateSecret.parse({
    v: 1,
    vault: "prod-kv",
    name,
    trigger,
    requestId: "r",
    policy: "p",
    ...(version && { version }),
  });
  await job.run(data, context).catch((error: unknown) => {
    // Whatever went wrong is a fault: a bug would show here.
    expect(toFault(error).code).not.toBe("internal-error");
  });
}

/** As a person would, past keyturn. */
async function store({ service, state, tokens }: World, value: string, days: number): Promise<void> {
  const [identity] = state.identities.values();
  if (!identity) throw new Error("nobody is there");
  const { token } = await tokens.issue(identity, "https://vault.azure.net");
  const exp = Math.floor(state.clock.now() / 1000) + days * day;
  const put = service.handle(
    new Request(`https://prod-kv.vault.azure.net/secrets/${name}?api-version=7.6`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ value, attributes: { exp } }),
    }),
  );
  // A person's call may break, too.
  await put.catch(() => undefined);
}

test("whatever happens in whatever order, the key that the latest version holds is never regenerated", async () => {
  const seen = { rotated: 0, retired: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(anEvent, { minLength: 1, maxLength: 14 }), async (events) => {
      await using world = await createWorld();
      await store(world, keyNamed(world.account, "key1").value, 20);
      for (const each of events) {
        await play(world, each);
        expect(world.watched.wrong).toEqual([]);
      }
      seen.rotated += world.versions().filter(({ tags }) => tags["keyturn-credential"]).length;
      seen.retired += world.versions().filter(({ tags }) => tags["keyturn-state"] === "retired").length;
    }),
    { seed: fixedSeed(process.env), numRuns: 60 },
  );
  // Otherwise nothing was tried.
  expect(seen.rotated).toBeGreaterThan(20);
  expect(seen.retired).toBeGreaterThan(5);
});

test("after broken calls of every kind, the rotation comes to its end", async () => {
  for (const match of ["regenerateKey", `PUT /secrets/${name}`, "PATCH"]) {
    for (const position of ["before", "lost"] as const) {
      await using world = await createWorld();
      await store(world, keyNamed(world.account, "key1").value, 20);
      await play(world, { kind: "break", match, position });
      for (let tries = 0; tries < 6; tries += 1) {
        await takeTurn(world, "sweep");
        await world.clock.advance(3_600_000);
      }
      expect(world.versions().at(-1)?.tags).toMatchObject({ "keyturn-state": "retired" });
      expect(world.versions().at(-1)?.value).toBe(keyNamed(world.account, "key2").value);
      expect(world.watched.wrong).toEqual([]);
    }
  }
});
