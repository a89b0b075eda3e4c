import type { z } from "zod";
import type { BoundRotator, Rotator } from "../rotators/rotator.ts";
import type { Path } from "./document.ts";
import { type Problem, parsePart } from "./problem.ts";
import { Defaults, PolicyFile, SecretEntry } from "./schema.ts";

/**
 * What could be read of a policy file. With a mistake in one part, the cross checks still look at the others, so that
 * all problems are reported together; what depends on a part that could not be read is left unchecked.
 */
export interface PolicyParts {
  readonly whole: PolicyFile | undefined;
  readonly vaults: PolicyFile["vaults"] | undefined;
  readonly scopes: PolicyFile["scopes"] | undefined;
  readonly self: PolicyFile["self"];
  readonly cloud: PolicyFile["cloud"] | undefined;
  readonly defaults: Defaults | undefined;
  readonly rollout: PolicyFile["rollout"] | undefined;
  readonly sweep: PolicyFile["sweep"] | undefined;
  readonly windows: PolicyFile["windows"] | undefined;
  readonly secrets: readonly SecretPart[];
}

export interface SecretPart {
  readonly path: Path;
  /** `vault/name` in lower case: Key Vault compares names without regard to case. */
  readonly key: string;
  readonly entry: SecretEntry;
  /** Absent if the rotator is unknown or refuses the target, and where the secret is derived. */
  readonly rotator: BoundRotator | undefined;
}

export function readParts(
  raw: unknown,
  rotators: readonly Rotator[],
): { parts: PolicyParts; problems: Problem[] } {
  const { value: whole, problems } = parsePart(PolicyFile, raw);
  const top: Readonly<Record<string, unknown>> = isRecord(raw) ? raw : {};
  const cloud = quietly(PolicyFile.shape.cloud, top.cloud);
  const secrets = (Array.isArray(top.secrets) ? top.secrets : []).flatMap((rawSecret, index) => {
    const entry = quietly(SecretEntry, rawSecret);
    return entry ? [bindSecret(entry, ["secrets", index], { rotators, cloud }, problems)] : [];
  });
  const parts: PolicyParts = {
    whole,
    vaults: quietly(PolicyFile.shape.vaults, top.vaults),
    scopes: quietly(PolicyFile.shape.scopes, top.scopes),
    self: quietly(PolicyFile.shape.self, top.self),
    cloud,
    defaults: quietly(PolicyFile.shape.defaults, top.defaults),
    rollout: quietly(PolicyFile.shape.rollout, top.rollout),
    sweep: quietly(PolicyFile.shape.sweep, top.sweep),
    windows: quietly(PolicyFile.shape.windows, top.windows),
    secrets,
  };
  return { parts, problems };
}

function bindSecret(
  entry: SecretEntry,
  path: Path,
  { rotators, cloud }: { readonly rotators: readonly Rotator[]; readonly cloud: PolicyParts["cloud"] },
  problems: Problem[],
): SecretPart {
  const secret = { path, entry, key: `${entry.vault}/${entry.name}`.toLowerCase() };
  if (entry.from !== undefined) return { ...secret, rotator: undefined };
  if (entry.rotator === undefined) {
    const text =
      "missing; expected text of 1 to 64 characters, or from: the secret that this one is built from";
    problems.push({ path: [...path, "rotator"], text });
    return { ...secret, rotator: undefined };
  }
  const rotator = rotators.find(({ id }) => id === entry.rotator);
  if (!rotator) {
    const known = rotators.map(({ id }) => id).join(", ");
    problems.push({
      path: [...path, "rotator"],
      text: `unknown rotator "${entry.rotator}"; expected one of ${known}`,
    });
    return { ...secret, rotator: undefined };
  }
  const target = parsePart(rotator.target, entry.target, [...path, "target"]);
  problems.push(...target.problems);
  return { ...secret, rotator: target.problems.length === 0 ? rotator.on(entry.target, cloud) : undefined };
}

/** For parts whose problems the parse of the whole file has reported already. */
function quietly<T>(schema: z.ZodType<T>, raw: unknown): T | undefined {
  const result = schema.safeParse(raw);
  return result.success ? result.data : undefined;
}

function isRecord(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}
