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

/** The folders whose rooms are told apart one level deeper. */
const floors = ["src/rotation", "src/providers"];

/** Which room of the house a file is in: `jobs`, `src/rotation/decide`, or a single file of `src` by its name. */
function roomOf(file: string): string {
  const [top = "", second = "", third, fourth] = file.split("/");
  if (top === "jobs") return "jobs";
  if (third === undefined) return `src/${basename(second, ".ts")}`;
  const room = `${top}/${second}`;
  if (!floors.includes(room)) return room;
  return `${room}/${fourth === undefined ? basename(third, ".ts") : third}`;
}

const ground = ["src/errors", "src/secret-value", "src/clock", "src/log", "src/attempt-each", "src/request"];
const telemetry = [...ground, "src/error-report", "src/telemetry"];
const providers = [
  "postgres",
  "mysql",
  "http",
  "sql",
  "password",
  "azure-keys",
  "labels",
  "connection-fault",
].map((name) => `src/providers/${name}`);
const underRotation = [...telemetry, "src/azure", "src/policy", "src/rotators", "src/dependents"];
const rotation = (...rooms: readonly string[]) => rooms.map((room) => `src/rotation/${room}`);

/** What each room may import from other rooms. */
const mayImport: Record<string, readonly string[]> = {
  "src/clock": [],
  "src/secret-value": [],
  "src/request": [],
  "src/errors": ["src/clock"],
  "src/error-report": ["src/errors"],
  "src/log": ["src/errors", "src/error-report"],
  "src/attempt-each": ["src/errors", "src/log"],
  "src/telemetry": [...ground, "src/error-report"],
  "src/azure": telemetry,
  "src/providers/labels": telemetry,
  "src/providers/connection-fault": telemetry,
  "src/providers/password": telemetry,
  "src/providers/sql": telemetry,
  "src/providers/postgres": [...telemetry, "src/azure", ...providersOf("sql", "labels", "connection-fault")],
  "src/providers/mysql": [
    ...telemetry,
    "src/azure",
    ...providersOf("sql", "password", "labels", "connection-fault"),
  ],
  "src/providers/http": [...telemetry, "src/azure", ...providersOf("labels", "connection-fault")],
  "src/providers/azure-keys": [...telemetry, "src/azure", ...providersOf("labels")],
  "src/rotators": ["src/errors", "src/secret-value", "src/clock", "src/azure", ...providers],
  "src/policy": ["src/errors", "src/clock", "src/azure", "src/rotators"],
  "src/dependents": [...telemetry, "src/azure", "src/policy"],
  "src/rotation/record": underRotation,
  "src/rotation/ports": underRotation,
  "src/rotation/model": [...underRotation, ...rotation("record", "ports")],
  "src/rotation/observe": [...underRotation, ...rotation("model", "record", "ports")],
  "src/rotation/decide": ["src/clock", "src/request", ...rotation("model")],
  "src/rotation/act": [...underRotation, ...rotation("model", "record", "ports")],
  "src/rotation/report": [...underRotation, ...rotation("model", "record")],
  "src/rotation/reconcile": [
    ...underRotation,
    ...rotation("observe", "decide", "act", "report", "model", "record", "ports"),
  ],
  "src/rotation/status": [
    ...underRotation,
    ...rotation("reconcile", "observe", "report", "model", "record", "ports"),
  ],
  "src/rollout": [...underRotation, ...rotation("reconcile", "observe", "model", "record", "ports")],
  "src/queue": [...telemetry, "src/policy"],
  "src/intake": [...telemetry, "src/azure", "src/policy", "src/queue"],
  "src/config": ["src/errors", "src/policy"],
  "src/lifecycle": ground,
  "src/probes": telemetry,
  "src/cli": [
    ...telemetry,
    "src/policy",
    "src/queue",
    "src/rotators",
    "src/config",
    ...rotation("status", "record", "ports"),
  ],
  "src/compose": [
    ...telemetry,
    "src/azure",
    "src/config",
    "src/policy",
    ...providers,
    "src/queue",
    "src/rotators",
    ...rotation("status", "record", "ports"),
  ],
  jobs: [
    ...telemetry,
    "src/azure",
    "src/policy",
    "src/queue",
    "src/dependents",
    "src/rollout",
    "src/rotators",
    ...rotation("reconcile", "report", "model", "record", "ports"),
  ],
};

function providersOf(...names: readonly string[]): string[] {
  return names.map((name) => `src/providers/${name}`);
}

/** A room from which imports lead back to it, with the way; `undefined` where all lead down. */
function circleIn(edges: Readonly<Record<string, readonly string[]>>): readonly string[] | undefined {
  const done = new Set<string>();
  const walk = (room: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(room)) return [...way.slice(way.indexOf(room)), room];
    if (done.has(room)) return undefined;
    for (const next of edges[room] ?? []) {
      const circle = walk(next, [...way, room]);
      if (circle) return circle;
    }
    done.add(room);
    return undefined;
  };
  return Object.keys(edges)
    .map((room) => walk(room, []))
    .find((circle) => circle !== undefined);
}

/** Imports of a file that its room may not have. */
function forbidden(file: string, targets: readonly string[]): string[] {
  const allowed = mayImport[roomOf(file)];
  if (!allowed) return [`${file} is in a room that no rule speaks of`];
  return targets
    .filter((target) => roomOf(target) !== roomOf(file) && !allowed.includes(roomOf(target)))
    .map((target) => `${file} -> ${target}`);
}

describe("imports", () => {
  test("point one way: no room imports a room above it", () => {
    const wrong = files
      .filter((file) => file !== "src/main.ts")
      .flatMap((file) => forbidden(file, projectImports(file)));
    expect(wrong).toEqual([]);
  });

  test("may by the table itself never lead back to where they came from", () => {
    expect(circleIn(mayImport)).toBeUndefined();
    expect(circleIn({ a: ["b"], b: ["c"], c: ["b"] })).toEqual(["b", "c", "b"]);
  });

  test("in the table are of rooms that there are", () => {
    const rooms = new Set(files.map(roomOf));
    const named = [...Object.keys(mayImport), ...Object.values(mayImport).flat()];
    expect([...new Set(named)].filter((room) => !rooms.has(room))).toEqual([]);
  });

  test.each([
    ["src/dependents/dependents.ts", "src/rotation/model/predicates.ts"],
    ["src/dependents/dependents.ts", "src/rollout/fleet.ts"],
    ["src/rotation/reconcile.ts", "src/rollout/fleet.ts"],
    ["src/rotation/observe/secret.ts", "src/rotation/decide/next-action.ts"],
    ["src/rotation/decide/next-action.ts", "src/rotation/observe/secret.ts"],
    ["src/rotation/decide/next-action.ts", "src/rotation/act/act.ts"],
    ["src/rotation/act/act.ts", "src/rotation/decide/next-action.ts"],
    ["src/rotation/report/describe.ts", "src/rotation/decide/next-action.ts"],
    ["src/log.ts", "src/telemetry/names.ts"],
    ["src/telemetry/span.ts", "src/azure/key-vault.ts"],
    ["src/providers/postgres/client.ts", "src/providers/mysql/client.ts"],
  ])("turned round are found: %s -> %s", (file, target) => {
    expect(files).toContain(file);
    expect(files).toContain(target);
    expect(forbidden(file, [target])).toEqual([`${file} -> ${target}`]);
  });

  test("of rollout may know rotation, and nothing in rotation knows rollout", () => {
    expect(mayImport["src/rollout"]).toContain("src/rotation/model");
    const knowing = Object.entries(mayImport).filter(([, rooms]) => rooms.includes("src/rollout"));
    expect(knowing.map(([room]) => room)).toEqual(["jobs"]);
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

test("what decides waits for nothing: no promise is made or awaited in decide", () => {
  const wrong = files.filter(
    (file) =>
      file.startsWith("src/rotation/decide/") &&
      /\b(async|await|Promise)\b/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(wrong).toEqual([]);
});

test("what observes writes nothing to a vault or a provider", () => {
  const wrong = files.filter(
    (file) =>
      file.startsWith("src/rotation/observe/") &&
      /\.(publish|update|apply|mint|revoke|restart)\(/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(wrong).toEqual([]);
});

test("every file of rotation and dependents has a test file of its name", () => {
  const tests = new Set(globSync("test/**/*.test.ts", { cwd: root }));
  const wrong = files
    .filter((file) => /^src\/(rotation|dependents)\//.test(file) && hasCode(file))
    .filter((file) => {
      const name = file.replace(/^src\//, "test/").replace(/\.ts$/, "");
      return !tests.has(`${name}.test.ts`) && !tests.has(`${name}.flow.test.ts`);
    });
  expect(wrong).toEqual([]);
});

/** Types alone have nothing to be tested. */
function hasCode(file: string): boolean {
  return /^export (async )?(function|const|class)\b/m.test(readFileSync(join(root, file), "utf8"));
}
