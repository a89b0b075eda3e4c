import { createHash } from "node:crypto";
import type { BoundRotator } from "../rotators/rotator.ts";
import { descendantsOf, sasOf } from "./derived.ts";
import { groupsCalled, isNamedGroup } from "./dependents.ts";
import { lifetimeOf } from "./lifetime.ts";
import type { SecretPart } from "./parts.ts";
import type { DependentPolicy, DerivedPolicy, Policy, SecretPolicy, VaultPolicy } from "./policy.ts";
import { parseResourceId } from "./resource-id.ts";
import { grantOf } from "./sas.ts";
import type { Dependent, PolicyFile, SecretEntry } from "./schema.ts";

/** https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes-for-object-identifiers */
const suffixes = {
  public: "vault.azure.net",
  usgovernment: "vault.usgovcloudapi.net",
  china: "vault.azure.cn",
} as const;

export function vaultUrl(
  cloud: Policy["cloud"],
  name: string,
  customUrls: ReadonlyMap<string, string>,
): string | undefined {
  return cloud === "custom" ? customUrls.get(name) : `https://${name}.${suffixes[cloud]}`;
}

/** From a file that has passed every check. */
export function compile(
  text: string,
  file: PolicyFile,
  vaults: readonly VaultPolicy[],
  secrets: readonly SecretPart[],
): Policy {
  const { maxUnavailable, settle, deadline, coalesce, skew } = file.rollout;
  const byName = new Map(vaults.map((vault) => [vault.name, vault]));
  return deepFreeze({
    digest: createHash("sha256").update(text).digest("hex"),
    cloud: file.cloud,
    vaults,
    scopes: file.scopes,
    self: file.self,
    rollout: { maxUnavailable, settle, deadline, coalesce, skew },
    sweep: { every: file.sweep.every, deep: file.sweep.deep },
    worker: file.worker,
    secrets: secrets.flatMap((secret) => {
      const { entry, rotator } = secret;
      const vault = byName.get(entry.vault.toLowerCase());
      if (!vault || !rotator) return [];
      const derived = descendantsOf(secret, secrets).flatMap((child) =>
        compileDerived(child, secrets, byName, file),
      );
      return [{ ...compileSecret(entry, vault, rotator, file), derived }];
    }),
  });
}

export function compileVault(id: string, url: string): VaultPolicy {
  return { id, name: parseResourceId(id)?.name ?? id, url };
}

function compileSecret(
  entry: SecretEntry,
  vault: VaultPolicy,
  rotator: BoundRotator,
  { defaults }: PolicyFile,
): Omit<SecretPolicy, "derived"> {
  return {
    key: `${vault.name}/${entry.name}`,
    vault,
    name: entry.name,
    rotator,
    template: entry.value ?? rotator.template,
    ...lifetimeOf(entry, defaults),
    dependents: entry.dependents.map((dependent) => compileDependent(dependent, entry)),
  };
}

function compileDerived(
  secret: SecretPart,
  all: readonly SecretPart[],
  vaults: ReadonlyMap<string, VaultPolicy>,
  { defaults }: PolicyFile,
): DerivedPolicy[] {
  const { entry } = secret;
  const vault = vaults.get(entry.vault.toLowerCase());
  const sas = sasOf(secret, all);
  if (!vault) return [];
  return [
    {
      key: `${vault.name}/${entry.name}`,
      vault,
      name: entry.name,
      template: entry.value ?? "{password}",
      sas: sas && grantOf(sas),
      contentType: entry.contentType ?? defaults.contentType,
      dependents: entry.dependents.map((dependent) => compileDependent(dependent, entry)),
    },
  ];
}

function compileDependent(dependent: Dependent, entry: SecretEntry): DependentPolicy {
  if (!isNamedGroup(dependent)) {
    return {
      kind: "discover",
      tag: dependent.discover.tag,
      strategy: "restart",
      gate: dependent.gate ?? false,
    };
  }
  return {
    kind: "group",
    group: dependent.group,
    strategy: "restart",
    after: dependent.after.flatMap((name) => groupsCalled(name, entry)),
    gate: dependent.gate ?? true,
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null && !Object.isFrozen(inner)) deepFreeze(inner);
  }
  return Object.freeze(value);
}
