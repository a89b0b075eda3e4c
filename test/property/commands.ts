import fc from "fast-check";
import { hour, secretName } from "../crash/ground.ts";
import { groupNames } from "../crash/matrix.ts";
import { deaths } from "../crash/process.ts";
import type { World } from "../crash/world.ts";

/** What a run of the model remembers: who has meddled, since what people break need not heal by itself. */
interface Model {
  meddled: boolean;
}

/** Something that happens to the world; afterwards no call may have broken a rule. */
class Step implements fc.AsyncCommand<Model, World> {
  readonly #name: string;
  readonly #act: (world: World, model: Model) => Promise<void> | void;

  constructor(name: string, act: (world: World, model: Model) => Promise<void> | void) {
    this.#name = name;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, world: World): Promise<void> {
    await this.#act(world, model);
    await world.settle();
    if (world.violations.length > 0) throw new Error(world.violations.join("\n"));
  }

  toString(): string {
    return this.#name;
  }
}

const services = {
  vault: /prod-kv/,
  "container groups": /\/orders-(api|web)/,
  provider: /^postgres|regenerateKey|listKeys|blob|\/v1\.0\/|oauth2/i,
  queue: /^queue/,
} as const;

const times = { "5 s": 5_000, "40 s": 40_000, "5 min": 300_000, "1 h": hour, "5 h": 5 * hour } as const;

const timePasses = fc
  .constantFrom(...entries(times))
  .map(([name, time]) => new Step(`${name} pass`, (world) => world.run(time, () => false)));

const crash = fc
  .record({ at: fc.nat(60), position: fc.constantFrom(...deaths, "cut" as const), flush: fc.boolean() })
  .map(
    (trouble) =>
      new Step(
        `${trouble.position} ${trouble.at} calls from now${trouble.flush ? ", with Redis" : ""}`,
        (world) => world.strike(trouble),
      ),
  );

const outage = fc.tuple(fc.constantFrom(...entries(services)), fc.constantFrom(10_000, 300_000)).map(
  ([[name, of], time]) =>
    new Step(`${name} away for ${time} ms`, (world) => {
      world.outages.push({ of, until: world.ground.clock.now() + time });
    }),
);

const replica = fc.constant(
  new Step("another worker starts", (world) => {
    if (world.alive().length < 3) world.startWorker();
  }),
);

const duplicate = fc.constant(
  new Step("an event comes again", ({ ground }) => {
    const version = latestOf(ground);
    if (version) ground.emit({ type: nearExpiry, vault: ground.vault, name: secretName, version });
  }),
);

const oldEvent = fc.constant(
  new Step("an event of an old version comes", ({ ground }) => {
    const version = ground.vault.secrets.get(secretName)?.versions[0];
    if (version) ground.emit({ type: nearExpiry, vault: ground.vault, name: secretName, version });
  }),
);

const requests = {
  routine: "a person asks for a rotation",
  compromised: "a person says that the value is leaked",
  retry: "a person asks to go on",
  abandon: "a person takes back what was asked",
} as const;

const request = fc.constantFrom(...entries(requests)).map(
  ([mode, name]) =>
    new Step(name, ({ ground, redis }) => {
      const { version } = latestOf(ground) ?? {};
      redis.add("rotate-secret", {
        vault: "prod-kv",
        name: secretName,
        trigger: "manual",
        mode,
        requestId: `by-hand-${redis.jobs.size}`,
        ...(version === undefined ? {} : { version }),
      });
    }),
);

const sweep = fc.constant(
  new Step("a person asks for a deep sweep", ({ redis }) => {
    redis.add("sweep-vaults", { deep: true });
  }),
);

const tagEdits: Readonly<Record<string, (tags: Record<string, string>) => void>> = {
  "all our tags removed": (tags) => {
    for (const name of Object.keys(tags)) if (name.startsWith("keyturn-")) delete tags[name];
  },
  "marked as retired": (tags) => {
    tags["keyturn-state"] = "retired";
  },
  "marked as published": (tags) => {
    tags["keyturn-state"] = "published";
  },
  "another rotation's id": (tags) => {
    tags["keyturn-rotation"] = `r-${"b".repeat(26)}`;
  },
  "another credential's id": (tags) => {
    tags["keyturn-credential"] = "postgres";
  },
  "an intent that nobody had": (tags) => {
    tags["keyturn-intent"] = "routine by-hand 2026-01-01T00:00:00.000Z";
  },
};

const tagsByHand = fc
  .tuple(fc.constantFrom(...entries(tagEdits)), fc.constantFrom(secretName, `${secretName}--pending`))
  .map(
    ([[what, edit], name]) =>
      new Step(`${name}: ${what}`, ({ ground }, model) => {
        model.meddled = true;
        const version = ground.vault.secrets.get(name)?.versions.at(-1);
        if (version) edit(version.tags);
      }),
  );

const passwordByHand = fc.constant(
  new Step("the credential in use is changed at the provider", ({ ground }, model) => {
    model.meddled = true;
    ground.provider.changeByHand(latestOf(ground)?.value ?? "");
  }),
);

const rotatedByHand = fc.constantFrom(10, 90).map(
  (days) =>
    new Step(`a person rotates for ${days} days`, async ({ ground }, model) => {
      model.meddled = true;
      await ground.store(ground.provider.changeByHand(latestOf(ground)?.value ?? ""), days);
    }),
);

const foreignVersion = fc.boolean().map(
  (copied) =>
    new Step(`a person stores nonsense${copied ? " with our tags" : ""}`, async ({ ground }, model) => {
      model.meddled = true;
      await ground.store("nonsense that no provider takes", 60, copied ? { ...latestOf(ground)?.tags } : {});
    }),
);

const disabled = fc.boolean().map(
  (enabled) =>
    new Step(`latest is ${enabled ? "enabled" : "disabled"} by hand`, ({ ground }, model) => {
      model.meddled = true;
      const version = latestOf(ground);
      if (version) version.enabled = enabled;
    }),
);

const groupRestarted = fc.constant(
  new Step("a person restarts a group", async ({ ground }) => {
    const [group] = ground.containers.list(`/subscriptions/${ground.state.subscriptionId}`);
    if (group) await ground.containers.restart(group.id);
  }),
);

const groupRemoved = fc.constant(
  new Step("a person deletes a group", async ({ ground }, model) => {
    model.meddled = true;
    const [group] = ground.containers.list(`/subscriptions/${ground.state.subscriptionId}`);
    if (!group) return;
    ground.forget(group.id);
    await ground.containers.delete(group.id);
  }),
);

const allergy = fc.constantFrom(...groupNames).map(
  (group) =>
    new Step(`${group} comes up on nothing but the first value for 5 min`, ({ ground }, model) => {
      model.meddled = true;
      ground.allergic.set(group, ground.clock.now() + 300_000);
    }),
);

const derivedByHand = fc.boolean().map(
  (isKnown) =>
    new Step(
      `a person stores ${isKnown ? "the same" : "another"} derived text`,
      async ({ ground }, model) => {
        model.meddled = true;
        const [derived] = ground.snapshot().derived;
        const text = derived?.versions.at(-1)?.value ?? "";
        if (derived) await ground.store(isKnown ? text : `${text}&by=hand`, 60, {}, derived.name);
      },
    ),
);

/** What happens without anybody's doing. */
export const accidents = [timePasses, timePasses, crash, crash, outage, replica, duplicate, oldEvent];
/** What people do. */
export const meddling = [
  request,
  request,
  tagsByHand,
  passwordByHand,
  rotatedByHand,
  foreignVersion,
  disabled,
  groupRestarted,
  groupRemoved,
  allergy,
  derivedByHand,
  sweep,
];

const nearExpiry = "Microsoft.KeyVault.SecretNearExpiry";

function latestOf(ground: World["ground"]) {
  return ground.vault.secrets.get(secretName)?.versions.at(-1);
}

function entries<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record);
}
