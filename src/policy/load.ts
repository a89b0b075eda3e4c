import { z } from "zod";
import { Fault } from "../errors.ts";
import type { Rotator } from "../rotators/rotator.ts";
import { crossCheck } from "./check.ts";
import { compile, compileVault, vaultUrl } from "./compile.ts";
import { type Finding, type Path, type PolicyDocument, readDocument } from "./document.ts";
import { type PolicyParts, readParts } from "./parts.ts";
import type { Policy, VaultPolicy } from "./policy.ts";
import type { Problem } from "./problem.ts";
import { parseResourceId } from "./resource-id.ts";

export interface LoadOptions {
  /** How messages call the file. */
  readonly file: string;
  /** What a secret may name as its rotator: `rotators` of `src/rotators/index.ts`. */
  readonly rotators: readonly Rotator[];
  /** By short name in lower case: where the vaults of `cloud: custom` are. Ignored for any other cloud. */
  readonly vaultUrls?: ReadonlyMap<string, string>;
}

/**
 * The policy from the text of its file.
 * @throws Fault `invalid-policy` that lists every problem as `file:line:column: what was found; what was expected`
 */
export function loadPolicy(text: string, options: LoadOptions): Policy {
  const document = readDocument(text);
  if (Array.isArray(document)) throw invalid(document, options.file);
  const { parts, problems } = readParts(document.value, options.rotators);
  const vaults = locateVaults(parts, options.vaultUrls ?? new Map());
  const all = [...problems, ...crossCheck(parts), ...vaults.problems];
  if (!parts.whole || all.length > 0) throw invalid(locate(all, document), options.file);
  return compile(text, parts.whole, vaults.found, parts.secrets);
}

function locateVaults({ vaults = [], cloud }: PolicyParts, customUrls: ReadonlyMap<string, string>) {
  const problems: Problem[] = [];
  const found: VaultPolicy[] = [];
  for (const [index, { id }] of vaults.entries()) {
    const name = parseResourceId(id)?.name ?? id;
    const url = cloud && vaultUrl(cloud, name, customUrls);
    if (url) found.push(compileVault(id, url));
    else if (cloud) {
      const text = `found no URL for vault ${name}; with cloud: custom, add ${name}=<url> to KEYTURN_VAULTS`;
      problems.push({ path: ["vaults", index, "id"], text });
    }
  }
  return { found, problems };
}

function locate(problems: readonly Problem[], document: PolicyDocument): Finding[] {
  return problems.map(({ path, part, text }) => {
    const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
    const place = `${steps.replace(/^\./, "")}${secretAt(path, document.value)}`;
    return { ...document.position(path, part), text: place ? `${place}: ${text}` : text };
  });
}

/** Which secret of the file a path leads into: nobody counts to `secrets[17]`. */
function secretAt([list, index]: Path, raw: unknown): string {
  const named = z.object({ secrets: z.array(z.unknown()) }).safeParse(raw);
  if (list !== "secrets" || typeof index !== "number" || !named.success) return "";
  const entry = z
    .object({ vault: z.string().max(24), name: z.string().max(127) })
    .safeParse(named.data.secrets[index]);
  return entry.success ? ` (${entry.data.vault}/${entry.data.name})` : "";
}

function invalid(findings: readonly Finding[], file: string): Fault {
  const sorted = findings.toSorted((one, other) => one.line - other.line || one.column - other.column);
  const lines = sorted.map(({ line, column, text }) => `  ${file}:${line}:${column}: ${text}`);
  const count = lines.length === 1 ? "a problem" : `${lines.length} problems`;
  return new Fault("invalid-policy", `the policy has ${count}:\n${lines.join("\n")}`);
}
