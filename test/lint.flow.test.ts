import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The house rules that save work from being lost are held by the linter; this holds the linter to them. */
const root = fileURLToPath(new URL("..", import.meta.url));
let folder: string;

beforeEach(() => {
  // Inside the project, so that its packages and types are found.
  folder = mkdtempSync(join(root, "src", "lint-probe-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lint(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { stdout } = spawnSync(join(root, "node_modules/.bin/oxlint"), [folder], {
    cwd: root,
    encoding: "utf8",
  });
  return stdout;
}

test("a job that is queued without waiting for Redis is an error", () => {
  const probe = `import type { Queue } from "bullmq";
export function forget(queue: Queue): void {
  queue.add("rotate", {});
}
export function forgetIfThere(queue: Queue | undefined): void {
  queue?.add("rotate", {});
}
export async function remember(queue: Queue): Promise<void> {
  await queue.add("rotate", {});
}
`;
  expect(lint({ "probe.ts": probe }).match(/no-floating-promises/g)).toHaveLength(2);
});

test("files that import each other are an error", () => {
  const said = lint({
    "one.ts": 'import { two } from "./two.ts";\nexport const one = (): number => two();\n',
    "two.ts": 'import { one } from "./one.ts";\nexport const two = (): number => one();\n',
  });
  expect(said).toContain("no-cycle");
});

test("the console, the environment and a bare fetch are errors in the sources", () => {
  const said = lint({
    "probe.ts": "console.log(process.env.HOME);\nexport const got = await fetch('https://example.org');\n",
  });
  expect(said).toContain("no-console");
  expect(said).toContain("no-process-env");
  expect(said).toContain("no-restricted-globals");
});
