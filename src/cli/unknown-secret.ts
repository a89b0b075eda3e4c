import type { Policy } from "../policy/policy.ts";
import { type CommandLine, exitCode } from "./dependencies.ts";

/** Says which secrets there are, since the likeliest cause is a slip of the keyboard. */
export function unknownSecret(line: CommandLine, policy: Policy, key: string): number {
  const known = policy.secrets.flatMap((secret) => [secret, ...secret.derived].map(({ key: each }) => each));
  line.err(`the policy names no secret ${key}; it names ${known.join(", ") || "none"}`);
  return exitCode.usage;
}
