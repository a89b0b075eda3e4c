import { z } from "zod";
import { Duration, PositiveDuration } from "./duration.ts";
import { parseResourceId, resourceTypes } from "./resource-id.ts";
import { Sas } from "./sas.ts";
import { count, resourceId, section, text, whenRead } from "./shapes.ts";

const subscription = "/subscriptions/<id>";
const GroupId = resourceId(
  (id) => parseResourceId(id)?.type === resourceTypes.containerGroup,
  `expected the resource id of a container group: ${subscription}/resourceGroups/<name>/providers/Microsoft.ContainerInstance/containerGroups/<name>`,
);

const Vault = section({
  id: resourceId(
    (id) => parseResourceId(id)?.type === resourceTypes.vault,
    `expected the resource id of a vault: ${subscription}/resourceGroups/<name>/providers/Microsoft.KeyVault/vaults/<name>`,
  ).describe("Resource id of a vault; its URL follows from it and the cloud."),
});

const Scope = resourceId((id) => {
  const parsed = parseResourceId(id);
  return parsed !== undefined && parsed.type === undefined;
}, `expected a subscription or resource group: ${subscription} or ${subscription}/resourceGroups/<name>`);

const lifetime = {
  validity: PositiveDuration.describe("Life of a new version; its exp is this far away."),
  rotateBefore: PositiveDuration.describe("A secret is due when it expires sooner than this."),
  minInterval: PositiveDuration.describe("A secret younger than this is not rotated again automatically."),
  overlap: Duration.describe("How long old and new credential are accepted together."),
  attempts: count(1, 100).describe("Failed attempts until the rotation is quarantined."),
  contentType: text(255).describe("Content type of the secret in Key Vault."),
  retire: z
    .boolean("expected true or false")
    .describe("false: the old credential stays alive at its provider; only its version is disabled."),
};

export const Defaults = section({
  validity: lifetime.validity.prefault("90d"),
  rotateBefore: lifetime.rotateBefore.prefault("30d"),
  minInterval: lifetime.minInterval.prefault("1d"),
  overlap: lifetime.overlap.prefault("24h"),
  attempts: lifetime.attempts.default(8),
  contentType: lifetime.contentType.optional(),
  retire: lifetime.retire.default(true),
})
  .prefault({})
  .describe("What holds for every secret that does not say otherwise.");
export type Defaults = z.infer<typeof Defaults>;

const Rollout = section({
  maxUnavailable: count(1, 100)
    .default(1)
    .describe("Groups restarted at a time; more than 1 is not supported yet."),
  canary: z.boolean("expected true or false").optional().describe("One group goes first: not supported yet."),
  settle: Duration.prefault("60s").describe("A restarted group must stay healthy this long."),
  deadline: PositiveDuration.prefault("10m").describe(
    "A restarted group must be healthy by then, or the roll-out stops.",
  ),
  coalesce: Duration.prefault("60s").describe("Rotations this close together share a restart."),
  skew: Duration.prefault("60s").describe(
    "Clocks of Key Vault and ACI may differ by this much; no restart before publish plus skew.",
  ),
  perGroupPerHour: count(1, 1000).optional().describe("Restarts of one group per hour: not supported yet."),
  perHour: count(1, 10_000).optional().describe("Restarts of all groups per hour: not supported yet."),
})
  .prefault({})
  .describe("How readers are restarted.");

const time = 'expected a time of day in quotes, such as "22:00"';
const TimeOfDay = z.string(time).regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, time);
const day = z.enum(
  ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
  "expected mon, tue, wed, thu, fri, sat or sun",
);
const Window = section({
  days: z
    .array(day, "expected a list of days")
    .min(1, "expected at least one day")
    .describe("On which it begins."),
  from: TimeOfDay.describe('When it begins, such as "22:00".'),
  to: TimeOfDay.describe("When it ends; the next day if that is earlier."),
  zone: z
    .string("expected a time zone")
    .refine(isTimeZone, "expected a time zone such as Europe/Berlin or UTC")
    .describe("Whose clock that is, such as Europe/Berlin."),
}).refine(({ from, to }) => from !== to, {
  error: "expected a window whose from and to differ; leave it out to allow any time",
  ...whenRead,
});

const Sweep = section({
  every: PositiveDuration.prefault("1h").describe("How often the lists of the vaults are read."),
  deep: PositiveDuration.prefault("24h").describe(
    "How often every secret is observed, at its provider and its groups too.",
  ),
  warn: Duration.optional().describe("Warn when a secret expires sooner than this: not supported yet."),
  page: Duration.optional().describe(
    "Page somebody when a secret expires sooner than this: not supported yet.",
  ),
})
  .refine(({ every, deep }) => every <= deep, { error: "expected every to be at most deep", ...whenRead })
  .prefault({})
  .describe("The safety net under the events.");

const Worker = section({
  lock: PositiveDuration.prefault("30s").describe("A job whose worker is silent this long is taken over."),
  stalledCheck: PositiveDuration.prefault("5s").describe("How often keyturn checks for such jobs."),
  concurrency: count(1, 100).default(5).describe("Jobs at a time in each stage."),
  drain: Duration.prefault("25s").describe("Time to finish running jobs at shutdown."),
})
  .prefault({})
  .describe("How the worker works through its queue.");

const strategies = ["restart", "stop-start", "signal", "notify"] as const;
const strategy = z
  .enum(strategies, `expected ${strategies.join(", ")}`)
  .default("restart")
  .describe("How it gets the new value; only restart is supported yet.");
const gate = z.boolean("expected true or false").optional();

const NamedGroup = section({
  group: GroupId.describe("Resource id of a container group in one of the scopes."),
  strategy,
  after: z
    .array(text(512), "expected a list of groups")
    .default([])
    .describe("Groups restarted before this one."),
  gate: gate.describe("Whether it holds up the retirement; default: true."),
  probe: section({
    url: z
      .url({ protocol: /^https$/, error: "expected an https:// address" })
      .describe("Where to ask: not supported yet."),
    expect: count(100, 599).default(200).describe("The status of a healthy answer: not supported yet."),
  })
    .optional()
    .describe("An address that says whether it is healthy: not supported yet."),
});

/** Azure's own rule for tag names: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources */
const tagName = "expected a tag name of 1 to 512 characters without < > % & \\ ? /";
const DiscoveredGroups = section({
  discover: section({
    tag: z
      .string(tagName)
      .regex(/^[^<>%&\\?/]{1,512}$/, tagName)
      .describe("Name of the tag; its value lists secrets, as name or vault/name."),
  }).describe("The tag of container groups in the scopes that lists the secrets they read."),
  strategy,
  gate: gate.describe("Whether they hold up the retirement; default: false."),
});

export const Dependent = z.union([NamedGroup, DiscoveredGroups], {
  error: "expected a map with group: <resource id>, or with discover: { tag: <name> }",
});
export type Dependent = z.infer<typeof Dependent>;

/** Key Vault takes 127 characters; `--pending` is put behind the name of a candidate. */
const secretName =
  "expected 1 to 118 letters, digits or hyphens (Key Vault takes 127, and --pending must fit behind it)";

const parentName = "expected the name of another secret, or vault/name";

/** Either with `rotator`, or derived from another one with `from`; which keys go together is checked across the file. */
export const SecretEntry = section({
  vault: text(24).describe("Short name of one of the vaults."),
  name: z
    .string(secretName)
    .regex(/^[0-9a-zA-Z-]{1,118}$/, secretName)
    .refine(
      (name) => !/--pending$/i.test(name),
      "expected a name that does not end in --pending: candidates are kept there",
    )
    .describe("Of the secret; at most 118 characters."),
  rotator: text(64).optional().describe("The rotator that makes its credentials."),
  from: z
    .string(parentName)
    .regex(/^(?:[0-9a-zA-Z-]{3,24}\/)?[0-9a-zA-Z-]{1,118}$/, parentName)
    .optional()
    .describe("Instead of a rotator: the secret from which this one is built, whenever that one changes."),
  sas: Sas.optional().describe(
    "With from: {password} is a shared access signature made with the parent's key.",
  ),
  target: z
    .record(z.string(), z.unknown(), "expected a map")
    .default({})
    .describe("The credential at its provider, as the rotator wants it."),
  value: text(4096).optional().describe("Template of the secret's text; default: the rotator's own."),
  validity: lifetime.validity.optional(),
  rotateBefore: lifetime.rotateBefore.optional(),
  minInterval: lifetime.minInterval.optional(),
  overlap: lifetime.overlap.optional(),
  attempts: lifetime.attempts.optional(),
  contentType: lifetime.contentType.optional(),
  retire: lifetime.retire.optional(),
  dependents: z
    .array(Dependent, "expected a list of dependents")
    .default([])
    .describe("Who reads it: groups by id, or discovered by a tag."),
}).meta({ anyOf: [{ required: ["rotator"] }, { required: ["from"] }] });
export type SecretEntry = z.infer<typeof SecretEntry>;

const clouds = ["public", "usgovernment", "china", "custom"] as const;

/** The policy file as its author writes it. */
export const PolicyFile = section({
  version: z
    .literal(1, "expected 1: the only version of the format so far")
    .describe("Of the file's format."),
  cloud: z
    .enum(clouds, `expected ${clouds.join(", ")}`)
    .default("public")
    .describe("Where Azure is; custom: endpoints from the environment."),
  vaults: z
    .array(Vault, "expected a list of vaults")
    .min(1, "expected at least one vault")
    .describe("Vaults whose secrets are rotated."),
  scopes: z
    .array(Scope, "expected a list of resource ids")
    .default([])
    .describe("Where dependents may live. Nothing outside is ever touched."),
  self: GroupId.optional().describe("Keyturn's own container group: never a dependent."),
  defaults: Defaults,
  rollout: Rollout,
  windows: z
    .array(Window, "expected a list of windows")
    .default([])
    .describe("When readers may be restarted: not supported yet."),
  sweep: Sweep,
  worker: Worker,
  secrets: z
    .array(SecretEntry, "expected a list of secrets")
    .min(1, "expected at least one secret")
    .describe("What is rotated."),
});
export type PolicyFile = z.infer<typeof PolicyFile>;

/** JSON schema of the file, for editors (`# yaml-language-server: $schema=...`). */
export function policyJsonSchema(): object {
  // Draft 7 is what the YAML language server understands in full.
  return { title: "keyturn policy", ...z.toJSONSchema(PolicyFile, { io: "input", target: "draft-7" }) };
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
