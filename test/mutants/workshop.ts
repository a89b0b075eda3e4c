import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applied, type Mutant } from "./mutant.ts";

const root = join(import.meta.dirname, "../..");
const bin = join(root, "node_modules/.bin");
/** All that is not made from something else. */
const sources = ["src", "jobs", "test", "deploy", "package.json", "tsconfig.json", "README.md"];

/** A copy of the project in a folder of its own, where code may be broken; removed at the end. */
export interface Workshop extends AsyncDisposable {
  /** @throws Error if the patch does not fit the sources any more */
  apply(mutant: Mutant): Promise<void>;
  /** What the compiler has against the code; `undefined`: nothing. What nobody uses any more is fine. */
  typeErrors(signal: AbortSignal): Promise<string | undefined>;
  /** Runs these test files and returns vitest's JSON report; `undefined` if there is none. */
  test(
    files: readonly string[],
    options: { workers: number; bail: boolean },
    signal: AbortSignal,
  ): Promise<unknown>;
}

export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-mutant-"));
  for (const name of sources) await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return {
    async apply({ edits }) {
      for (const edit of edits) {
        const path = join(folder, edit.file);
        await writeFile(path, applied(await readFile(path, "utf8"), edit));
      }
    },
    async typeErrors(signal) {
      const settings = { extends: "./tsconfig.json", include: ["src", "jobs"] };
      await writeFile(join(folder, "mutant.json"), JSON.stringify(settings));
      const lenient = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
      const { code, output } = await run("tsc", ["--project", "mutant.json", ...lenient], { folder, signal });
      return code === 0 ? undefined : output.trim();
    },
    async test(files, { workers, bail }, signal) {
      const report = join(folder, "report.json");
      const options = ["--config", "test/vitest.config.ts", "--maxWorkers", String(workers)];
      const reporter = ["--reporter=json", `--outputFile=${report}`];
      const ends = bail ? ["--bail", "1"] : [];
      await run("vitest", ["run", ...options, ...reporter, ...ends, ...files], { folder, signal });
      const text = await readFile(report, "utf8").catch(() => undefined);
      return text === undefined ? undefined : JSON.parse(text);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Resolves once the process and all that it prints are over, also if the signal has ended it. */
function run(
  program: string,
  args: readonly string[],
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<{ code: number | null; output: string }> {
  // Whether a mutant is caught shall not depend on chance.
  const env = { KEYTURN_SEED: "1", ...process.env };
  const child = spawn(join(bin, program), args, {
    cwd: folder,
    env,
    signal,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", (error) => {
      if (!signal.aborted) reject(error);
    });
    child.on("close", (code) => resolve({ code, output }));
  });
}
