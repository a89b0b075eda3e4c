import { type CommandLine, exitCode } from "./dependencies.ts";

/** Checks a file without reaching anything. */
export async function checkPolicy(line: CommandLine, file: string): Promise<number> {
  const { secrets, vaults } = await line.checkPolicy(file);
  line.out(`${file}: good; ${secrets.length} secret(s) in ${vaults.length} vault(s)`);
  return exitCode.done;
}

export function printSchema(line: CommandLine): number {
  line.out(JSON.stringify(line.policySchema(), undefined, 2));
  return exitCode.done;
}
