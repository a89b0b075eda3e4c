import { z } from "zod";
import { Fault, isFault } from "../errors.ts";
import type { ListedKey, ListedKeys } from "../providers/azure-keys/key-kind.ts";
import {
  fieldsOf,
  type KeyedResource,
  keyedResource,
  knownTypes,
} from "../providers/azure-keys/keyed-resource.ts";
import { createSignSas } from "../providers/azure-keys/storage-sas.ts";
import { SecretValue } from "../secret-value.ts";
import { type Acceptance, type Credential, defineRotator } from "./rotator.ts";

const Target = z
  .strictObject({
    /** ARM id of the resource, or of the rule, that has the keys. */
    resource: z.string().refine((id) => keyedResource(id) !== undefined, {
      error: () => `the id of a resource whose keys keyturn knows: ${knownTypes().join(", ")}`,
    }),
    /** The keys that take turns; default: the pair of the resource's kind that may write. */
    keys: z.tuple([z.string(), z.string()]).optional(),
    /** What the secret holds, unless its `value` says so. */
    as: z.enum(["key", "connectionString"]).default("key"),
    /** The host in a connection string, with port, where it does not follow from the id. */
    host: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?$/, "a host name in lower case")
      .optional(),
    /** `list`: a key counts as working when Azure lists it; for services that keyturn cannot reach. */
    verify: z.enum(["use", "list"]).default("use"),
  })
  .superRefine((target, context) => {
    const kind = keyedResource(target.resource)?.kind;
    if (!kind) return;
    const { keys } = target;
    const isPair = kind.pairs.some((pair) => new Set([...pair, ...(keys ?? [])]).size === 2);
    if (keys && !(isPair && new Set(keys).size === 2)) {
      const pairs = kind.pairs.map((pair) => pair.join(" and ")).join(", or ");
      context.addIssue({ code: "custom", path: ["keys"], message: `two keys that take turns: ${pairs}` });
    }
    if (target.as === "connectionString" && kind.connectionString === undefined) {
      const message = `${kind.types[0]} has no usual connection string; give the secret a value`;
      context.addIssue({ code: "custom", path: ["as"], message });
    }
  });
type Target = z.infer<typeof Target>;

/** The keys of an Azure resource that has two: one is in use, the other is regenerated and takes its place. */
export const azureKey = defineRotator<Target>({
  id: "azure-key",
  summary: "the two keys of an Azure resource: storage account, Service Bus rule, Cosmos DB, and others",
  origin: "minted",
  target: Target,
  propagation: (target) => resourceOf(target).kind.propagation,
  roles: ["read, list keys and regenerate key on the resource (Storage Account Key Operator Service Role)"],
  template: (target) => templateOf(target) ?? "{password}",
  overlap: () => "dual",
  slots: keysOf,
  owns: (target) => keysOf(target).map((key) => `${target.resource.toLowerCase()}/${key}`),
  fields: (target, _credentialId, cloud) => ({
    ...fieldsOf(resourceOf(target), cloud),
    ...(target.host && { host: target.host }),
  }),
  signs(target) {
    const { kind, names } = resourceOf(target);
    return kind.dataPlane === "storage" ? createSignSas(names[0] ?? "") : undefined;
  },
  async observe(target, known, { providers: { azureKeys }, signal }) {
    const listed = await azureKeys.list(resourceOf(target), signal);
    const found = known.map((credential) => keyOf(target, listed, credential));
    return {
      exists: keysOf(target).filter((key) => listed.has(key)),
      accepts: known.map((credential, index) => acceptance(target, credential, found[index])),
      ids: found,
    };
  },
  async mint(target, { slot }, { providers: { azureKeys }, signal }) {
    assertOurs(target, slot);
    const key = await azureKeys.regenerate(resourceOf(target), slot, signal);
    return { id: slot, value: valueOf(target, key) };
  },
  async verify(target, credential, { providers: { azureKeys }, now, signal }) {
    assertOurs(target, credential.id);
    const resource = resourceOf(target);
    const used =
      target.verify === "list"
        ? "unchecked"
        : await azureKeys.use(resource, credential.value, { now, signal });
    if (used === "accepted") return;
    const listed = await azureKeys.list(resource, signal);
    if (keyOf(target, listed, credential) === undefined) {
      throw new Fault("credential-rejected", `${resource.id} has another ${credential.id} by now`);
    }
    if (used === "unchecked") return;
    throw new Fault("propagation-pending", `${resource.id} does not take its new ${credential.id} yet`);
  },
  async revoke(target, credentialId, { providers: { azureKeys }, signal }) {
    assertOurs(target, credentialId);
    try {
      // What comes in its place is nobody's until the key's next turn.
      await azureKeys.regenerate(resourceOf(target), credentialId, signal);
    } catch (error) {
      // A resource that is gone lets nobody in.
      if (!isFault(error, "target-missing")) throw error;
    }
  },
});

function resourceOf({ resource }: Target): KeyedResource {
  const found = keyedResource(resource);
  if (!found) throw new Fault("invalid-policy", `${resource} is no resource with keys`);
  return found;
}

function keysOf(target: Target): readonly string[] {
  return target.keys ?? resourceOf(target).kind.pairs[0] ?? [];
}

function templateOf(target: Target): string | undefined {
  return target.as === "connectionString" ? resourceOf(target).kind.connectionString : undefined;
}

/** What stands for `{password}`. */
function valueOf(target: Target, { value, id }: ListedKey): SecretValue {
  const withId = target.as === "connectionString" && resourceOf(target).kind.idInText;
  return withId ? new SecretValue(`Id=${id};Secret=${value.reveal()}`) : value;
}

/** The one of our keys that this credential is; with an id it can only be that one. */
function keyOf(target: Target, listed: ListedKeys, { id, value }: Credential): string | undefined {
  const [found] = keysOf(target)
    .filter((key) => id === "" || id === key)
    .filter((key) => {
      const present = listed.get(key);
      return present !== undefined && valueOf(target, present).equals(value);
    });
  return found;
}

function acceptance(target: Target, { id }: Credential, found: string | undefined): Acceptance {
  if (found !== undefined) return "accepted";
  return id === "" || keysOf(target).includes(id) ? "rejected" : "unknown";
}

/** The other keys of the resource are somebody else's. */
function assertOurs(target: Target, key: string): void {
  if (keysOf(target).includes(key)) return;
  throw new Fault("slot-unknown", `${target.resource}: '${key}' is none of the policy's keys`);
}
