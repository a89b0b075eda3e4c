import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { isTest, readSourceFiles, root } from "./files.ts";
import { testsFor } from "./tests-for.ts";

const usage = `npm run test:changed [-- REF] [-- --option=value of vitest]

Runs the test files that reach a changed file by imports, or by the name of a program that they start or a file that they
read. Changed is what differs from the last commit, or from REF (a branch, a commit), and what git does not know yet.
`;

function git(...args: string[]): string[] {
  return execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(usage);
    return 0;
  }
  const [ref = "HEAD"] = args.filter((arg) => !arg.startsWith("-"));
  const changed = [
    ...git("diff", "--name-only", "--relative", ref, "--"),
    ...git("ls-files", "--others", "--exclude-standard"),
  ];
  const files = readSourceFiles();
  const tests = testsFor(files, changed);
  const all = [...files.keys()].filter(isTest).length;
  console.log(`${changed.length} changed file(s), reached by ${tests.length} of ${all} test files`);
  if (tests.length === 0) return 0;
  const options = args.filter((arg) => arg.startsWith("-"));
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/vitest.config.ts"];
  const child = spawn(process.execPath, [...vitest, ...options, ...tests], { cwd: root, stdio: "inherit" });
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 130;
}

process.exitCode = await main(process.argv.slice(2));
