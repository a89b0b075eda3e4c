import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { faultCodes } from "../src/errors.ts";
import { stages } from "../src/queue/contracts.ts";
import { rotators } from "../src/rotators/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = globSync("{src,jobs}/**/*.ts", { cwd: root })
  // What lint.flow.test.ts puts there for a moment.
  .filter((file) => !file.includes("lint-probe-"))
  .toSorted();
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** Project files by their path, packages by their name. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const specifiers = [...text.matchAll(/^\s*(?:import|export)\b[^;]*?from "([^"]+)"|import\("([^"]+)"\)/gm)];
  return specifiers.map(([, from, dynamic]) => {
    const name = from ?? dynamic ?? "";
    return name.startsWith(".") ? relative(root, resolve(root, dirname(file), name)) : name;
  });
}

/** Which part of the house a file is in: `jobs`, `src/rotation`, or a single file of `src` by its name. */
function roomOf(file: string): string {
  const [top, second, third] = file.split("/");
  if (top === "jobs") return "jobs";
  return third === undefined ? `src/${basename(second ?? "", ".ts")}` : `${top}/${second}`;
}

const ground = ["src/errors", "src/secret-value", "src/clock", "src/log", "src/independent"];
const telemetry = [...ground, "src/telemetry"];

/** What each room may import from other rooms; imports point down this list, never up. */
const mayImport: Record<string, readonly string[]> = {
  "src/errors": ["src/clock"],
  "src/secret-value": [],
  "src/clock": [],
  "src/log": ["src/errors", "src/telemetry"],
  "src/independent": ["src/errors", "src/log"],
  "src/telemetry": ground,
  "src/azure": telemetry,
  "src/providers": [...telemetry, "src/azure"],
  "src/rotators": ["src/errors", "src/secret-value", "src/clock", "src/providers", "src/azure"],
  "src/policy": ["src/errors", "src/clock", "src/azure", "src/rotators"],
  "src/rollout": [...telemetry, "src/azure", "src/policy", "src/rotation"],
  "src/rotation": [...telemetry, "src/azure", "src/policy", "src/providers", "src/rotators", "src/rollout"],
  "src/queue": [...telemetry, "src/policy"],
  "src/intake": [...telemetry, "src/azure", "src/policy", "src/queue"],
  "src/config": ["src/errors", "src/policy", "src/config-values", "src/environment-secrets"],
  "src/config-values": [],
  "src/environment-secrets": [],
  "src/lifecycle": ground,
  "src/probes": telemetry,
  "src/cli": [...telemetry, "src/policy", "src/queue", "src/rotation", "src/rotators", "src/config"],
  "src/compose": [
    ...telemetry,
    "src/azure",
    "src/config",
    "src/policy",
    "src/providers",
    "src/queue",
    "src/rotation",
    "src/rotators",
  ],
  jobs: [...telemetry, "src/azure", "src/policy", "src/queue", "src/rotation", "src/rollout", "src/rotators"],
};

describe("imports", () => {
  test("point one way: no room imports a room above it", () => {
    const wrong = files
      .filter((file) => file !== "src/main.ts")
      .flatMap((file) => {
        const allowed = mayImport[roomOf(file)];
        if (!allowed) return [`${file} is in a room that no rule speaks of`];
        return projectImports(file)
          .filter((target) => roomOf(target) !== roomOf(file) && !allowed.includes(roomOf(target)))
          .map((target) => `${file} -> ${target}`);
      });
    expect(wrong).toEqual([]);
  });

  test("never lead to a test or to the composition root", () => {
    const wrong = files.flatMap((file) =>
      projectImports(file).filter((target) => target.startsWith("test/") || target === "src/main.ts"),
    );
    expect(wrong).toEqual([]);
  });

  test("of jobs follow the pipeline: a stage imports only the stage it queues next", () => {
    const edges = files
      .filter((file) => file.startsWith("jobs/"))
      .flatMap((file) =>
        projectImports(file)
          .filter((to) => to.startsWith("jobs/"))
          .map((to) => [file, to]),
      );
    expect(edges).toEqual([
      ["jobs/roll-dependents.ts", "jobs/restart-group.ts"],
      ["jobs/rotate-secret.ts", "jobs/roll-dependents.ts"],
      ["jobs/sweep-vaults.ts", "jobs/rotate-secret.ts"],
    ]);
  });

  test("of a rotator are its contract, ports, errors, values, the clock's units and zod", () => {
    const wrong = files
      .filter((file) => file.startsWith("src/rotators/") && !file.endsWith("/index.ts"))
      .flatMap((file) =>
        (imports.get(file) ?? []).filter((name) => !isForRotators(name)).map((name) => `${file} -> ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test("of BullMQ and ioredis stay in the queue's room", () => {
    const wrong = files.filter(
      (file) =>
        !file.startsWith("src/queue/") &&
        (imports.get(file) ?? []).some((name) => /^(bullmq|ioredis)/.test(name)),
    );
    expect(wrong.filter((file) => file !== "src/main.ts")).toEqual([]);
  });
});

function projectImports(file: string): string[] {
  return (imports.get(file) ?? []).filter((name) => /^(src|jobs|test)\//.test(name));
}

function isForRotators(name: string): boolean {
  if (name === "zod" || /^src\/(errors|secret-value|clock)\.ts$/.test(name)) return true;
  return (
    /^src\/rotators\/(rotator|database-log-ins)\.ts$/.test(name) || /^src\/(providers|azure)\//.test(name)
  );
}

test("time and chance come from the clock and from node:crypto", () => {
  const wrong = files.filter((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return file !== "src/clock.ts" && /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)/.test(text);
  });
  expect(wrong).toEqual([]);
});

test("every rotator file is in the registry, under the name of its file", () => {
  const written = globSync("src/rotators/*.ts", { cwd: root })
    .map((file) => basename(file, ".ts"))
    .filter((name) => !["rotator", "index", "secret-text", "database-log-ins"].includes(name));
  expect(rotators.map(({ id }) => id).toSorted()).toEqual(written.toSorted());
});

test("every stage of the pipeline is a file in jobs", () => {
  const written = globSync("jobs/*.ts", { cwd: root }).map((file) => basename(file, ".ts"));
  expect(written.toSorted()).toEqual([...stages].toSorted());
});

test("every rotator has a test file of its name", () => {
  const tests = new Set(globSync("test/**/*.test.ts", { cwd: root }).map((file) => relative("test", file)));
  const wrong = files
    .filter(
      (file) =>
        file.startsWith("src/rotators/") && !file.endsWith("/rotator.ts") && !file.endsWith("/index.ts"),
    )
    .filter((file) => {
      const name = file.replace(/^src\//, "").replace(/\.ts$/, "");
      return !tests.has(`${name}.test.ts`) && !tests.has(`${name}.flow.test.ts`);
    });
  expect(wrong).toEqual([]);
});

test("the README's table of codes is the code's table", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const listed = [...readme.matchAll(/^\| `([a-z-]+)` \| (retriable|terminal|needs-human) \|/gm)];
  expect(Object.fromEntries(listed.map(([, code, kind]) => [code, kind]))).toEqual(faultCodes);
});
