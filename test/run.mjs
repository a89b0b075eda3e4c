// Runs one of the project's commands under the project's own Node. It has to work on Node 20 and before the first
// `npm ci`, hence plain JavaScript and no dependencies. (In `"x": "node setup.mjs && node main.ts"` the second `node`
// would still be the system's, since the shell remembers the path.)
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const node = join(bin, process.platform === "win32" ? "node.cmd" : "node");

const lint = ["oxlint", "src", "jobs", "test"];
const types = ["tsc", "--noEmit"];
const format = ["biome", "format", "."];
const unused = ["knip", "--config", ".knip.jsonc"];
const unusedInProduction = [...unused, "--production", "--exclude", "types"];
const vitest = ["vitest", "run", "--config", "test/vitest.config.ts"];
const unit = ["--config", "test/vitest.config.ts", "--project", "unit"];

/** Each command is a list of steps; extra arguments go to the last one. */
const commands = {
  check: [format, lint, types, unused, unusedInProduction, vitest],
  static: [format, lint, types, unused, unusedInProduction],
  test: [vitest],
  "test:unit": [["vitest", "run", ...unit]],
  "test:watch": [["vitest", "watch", ...unit]],
  "test:changed": [["node", "test/sorting/changed.ts"]],
  "test:matrix": [["node", "test/crash/main.ts"]],
  "test:mutants": [["node", "test/mutants/main.ts"]],
  lint: [lint],
  types: [types],
  format: [["biome", "format", "--write", "."]],
  build: [["rolldown", "--config", "deploy/rolldown.config.mjs"]],
  demo: [["node", "test/demo/main.ts"]],
  docs: [["node", "test/docs/main.ts"]],
  dev: [["node", "test/dev/main.ts"]],
  azure: [["node", "test/local-azure/main.ts"]],
  bench: [["node", "test/bench/main.ts"]],
  keyturn: [["node", "src/main.ts"]],
};

function install() {
  const installed = join(root, "node_modules", ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(node) && existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs)
    return;
  console.log("keyturn: installing dependencies (once per change of the lock file) ...");
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
  });
  if (npm.status !== 0) process.exit(npm.status ?? 1);
}

function run([program, ...args]) {
  const env = {
    // Where Node keeps what it has compiled: programs start in two thirds of the time.
    NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compiled"),
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH}`,
  };
  const child = spawn(program === "node" ? node : join(bin, program), args, {
    cwd: root,
    stdio: "inherit",
    env,
  });
  // The terminal sends Ctrl-C to the whole group; only a plain SIGTERM has to be handed on. Either way the child
  // decides when it is done, so that its clean-up is not cut short.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1))),
  );
}

const [name, ...rest] = process.argv.slice(2);
const steps = commands[name];
if (!steps) {
  console.error(`usage: node test/run.mjs ${Object.keys(commands).join("|")} [arguments]`);
  process.exit(2);
}
install();
for (const [index, step] of steps.entries()) {
  const code = await run(index === steps.length - 1 ? [...step, ...rest] : step);
  if (code !== 0) process.exit(code);
}
