import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The house rules that save work from being lost are held by the linter; this holds the linter to them. */
const root = fileURLToPath(new URL("..", import.meta.url));

const probes = {
  "forgotten/probe.ts": `import type { Queue } from "bullmq";
export function forget(queue: Queue): void {
  queue.add("rotate", {});
}
export function forgetIfThere(queue: Queue | undefined): void {
  queue?.add("rotate", {});
}
export async function remember(queue: Queue): Promise<void> {
  await queue.add("rotate", {});
}
`,
  "circle/one.ts": 'import { two } from "./two.ts";\nexport const one = (): number => two();\n',
  "circle/two.ts": 'import { one } from "./one.ts";\nexport const two = (): number => one();\n',
  "bare/probe.ts": "console.log(process.env.HOME);\nexport const got = await fetch('https://example.org');\n",
};

let folder: string;
/** `file:line:column: sentence [rule]`, a finding each. */
let said: string[];

beforeAll(() => {
  // Inside the project, so that its packages and types are found.
  folder = mkdtempSync(join(root, "src", "lint-probe-"));
  for (const [name, text] of Object.entries(probes)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const linter = join(root, "node_modules/.bin/oxlint");
  const { stdout } = spawnSync(linter, ["--format=unix", folder], { cwd: root, encoding: "utf8" });
  said = stdout.split("\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the linter says about the files of one probe. */
function saidOf(probe: string): string {
  return said.filter((line) => line.includes(`/${probe}/`)).join("\n");
}

test("a job that is queued without waiting for Redis is an error", () => {
  expect(saidOf("forgotten").match(/no-floating-promises/g)).toHaveLength(2);
});

test("files that import each other are an error", () => {
  expect(saidOf("circle")).toContain("no-cycle");
});

test("the console, the environment and a bare fetch are errors in the sources", () => {
  expect(saidOf("bare")).toContain("no-console");
  expect(saidOf("bare")).toContain("no-process-env");
  expect(saidOf("bare")).toContain("no-restricted-globals");
});
