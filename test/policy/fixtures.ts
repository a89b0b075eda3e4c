import { z } from "zod";
import type { Fault } from "../../src/errors.ts";
import { isFault } from "../../src/errors.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { type Rotator, type RotatorDefinition, defineRotator } from "../../src/rotators/rotator.ts";
import { SecretValue } from "../../src/secret-value.ts";

export const subscription = "/subscriptions/00000000-0000-0000-0000-000000000001";
export const apps = `${subscription}/resourceGroups/apps`;

export function groupId(name: string, scope = apps): string {
  return `${scope}/providers/Microsoft.ContainerInstance/containerGroups/${name}`;
}

export function vaultId(name: string): string {
  return `${subscription}/resourceGroups/security/providers/Microsoft.KeyVault/vaults/${name}`;
}

/** Rotators that do nothing: the policy only asks what they declare. */
const idle = {
  summary: "does nothing",
  origin: "chosen" as const,
  propagation: 0,
  roles: [],
  choose: (_target: unknown, slot: string) => ({ id: slot, value: new SecretValue("x") }),
  observe: () => Promise.resolve({ exists: [], accepts: [] }),
  apply: () => Promise.resolve(),
  verify: () => Promise.resolve(),
  revoke: () => Promise.resolve(),
} satisfies Partial<RotatorDefinition<unknown>>;

const Login = z.strictObject({ host: z.string(), users: z.array(z.string()).min(1).max(2) });

const login = defineRotator<z.infer<typeof Login>>({
  ...idle,
  id: "login",
  target: Login,
  template: "{password}",
  overlap: ({ users }) => (users.length === 2 ? "dual" : "single"),
  slots: ({ users }) => users,
  owns: ({ host, users }) => users.map((user) => `${host.toLowerCase()}/${user}`),
  fields: ({ host }, username) => ({ host, username }),
});

/** Its values sign. */
const signer = defineRotator<object>({
  ...idle,
  id: "signer",
  target: z.strictObject({}),
  template: "{password}",
  overlap: () => "dual",
  slots: () => [],
  owns: () => [],
  fields: () => ({ account: "orders" }),
  signs: () => (_grant, key) => new SecretValue(`signed with ${key.reveal()}`),
});

const plain = defineRotator<{ length?: number | undefined }>({
  ...idle,
  id: "plain",
  target: z.strictObject({ length: z.int().min(16).optional() }),
  template: "{password}",
  overlap: () => "single",
  slots: () => [],
  owns: () => [],
  fields: () => ({}),
});

const rotators: readonly Rotator[] = [login, plain, signer];

const defaultSecret = `
  - vault: prod-kv
    name: session-key
    rotator: plain
`;

/** A policy file: each part can be given; `secrets` as list entries indented by two. */
export function policyText(parts: { head?: string; scopes?: string; secrets?: string } = {}): string {
  const { head = "", scopes = `scopes: ["${apps}"]`, secrets = defaultSecret } = parts;
  return `version: 1
vaults:
  - id: ${vaultId("prod-kv")}
${scopes}
${head}
secrets:${secrets.startsWith("\n") ? "" : "\n"}${secrets}`;
}

export function load(text: string, vaultUrls?: ReadonlyMap<string, string>): Policy {
  return loadPolicy(text, { file: "policy.yaml", rotators, ...(vaultUrls && { vaultUrls }) });
}

/** The fault with which a file is refused. */
function refusal(text: string, vaultUrls?: ReadonlyMap<string, string>): Fault {
  try {
    load(text, vaultUrls);
  } catch (error) {
    if (isFault(error, "invalid-policy")) return error;
    throw error;
  }
  throw new Error("the policy was accepted");
}

/** The lines of the message, one per problem. */
export function problemsOf(text: string, vaultUrls?: ReadonlyMap<string, string>): string[] {
  return refusal(text, vaultUrls)
    .message.split("\n")
    .slice(1)
    .map((line) => line.trim());
}
