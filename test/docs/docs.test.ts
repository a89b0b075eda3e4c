import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { loadPolicy } from "../../src/policy/load.ts";
import { rotators } from "../../src/rotators/index.ts";
import { run } from "../cli/fake.ts";
import { allPages, anchorsOf, blocksOf, linksOf, root } from "./pages.ts";
import { withTables } from "./policy-tables.ts";

const pages = allPages();
const read = (file: string) => readFileSync(join(root, file), "utf8");

test("every link leads to a file that is there, and to a heading in it", () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        if (!existsSync(join(root, path))) return true;
        return anchor !== undefined && !anchorsOf(read(path)).has(anchor);
      })
      .map((link) => `${page.file} -> ${link}`),
  );
  expect(broken).toEqual([]);
});

test("every page of docs can be reached from the README", () => {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const page = pages.find((each) => each.file === file);
    for (const link of page ? linksOf(page) : []) visit(link.split("#")[0] ?? "");
  };
  visit("README.md");
  expect(pages.map(({ file }) => file).filter((file) => !seen.has(file))).toEqual([]);
});

test("the README is read in three minutes: at most 130 lines", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(130);
});

test("the tables of settings are those of the schema; `npm run docs` writes them", () => {
  const page = read("docs/policy.md");
  expect(withTables(page)).toBe(page);
  // A setting without a description tells its reader nothing.
  expect(page.match(/^\| `\w+` \|.*\|  \|$/gm)).toBeNull();
});

test("every whole policy that is shown passes the check", () => {
  const policies = pages.flatMap((page) =>
    blocksOf(page)
      .filter(({ info, text }) => info === "yaml" && text.startsWith("version: 1"))
      .map(({ text }) => ({ file: page.file, text })),
  );
  expect(policies.map(({ file }) => file)).toContain("README.md");
  for (const { file, text } of policies) expect(loadPolicy(text, { file, rotators }).secrets).toHaveLength(1);
});

describe("every command that is shown", () => {
  const scripts = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read("package.json"))).scripts;

  /** Where each script is run, or why no test runs it. */
  const runBy: Readonly<Record<string, string | { readonly notRun: string }>> = {
    test: ".ci/run",
    demo: ".ci/run",
    lint: "test/run.mjs",
    types: "test/run.mjs",
    format: "test/run.mjs",
    check: "test/run.mjs",
    keyturn: "test/flow/command.ts",
    azure: "test/local-azure/main.flow.test.ts",
    docs: "test/docs/docs.test.ts",
    "test:unit": "test/run.mjs",
    "test:changed": "test/run.mjs",
    "test:watch": { notRun: "it ends only when somebody stops it" },
    dev: { notRun: "it ends only when somebody stops it" },
    "test:matrix": { notRun: "ten minutes; npm test runs a share of it" },
    "test:mutants": { notRun: "two minutes; npm test checks that each patch applies" },
  };

  const shown = new Set(
    pages.flatMap(({ text }) =>
      [...text.matchAll(/\bnpm (?:run ([a-z][a-z:]*)|(test))\b/g)].map(
        ([, name, plain]) => name ?? plain ?? "",
      ),
    ),
  );

  test("with npm is a script, and run by a test or named here with the reason", () => {
    const wrong = [...shown].filter((name) => {
      const where = runBy[name];
      if (!(name in scripts) || where === undefined) return true;
      return typeof where === "string" && !existsSync(join(root, where));
    });
    expect(wrong).toEqual([]);
    for (const [name, where] of Object.entries(runBy))
      if (where === ".ci/run")
        expect(read(".ci/run")).toContain(name === "test" ? "npm test" : `npm run ${name}`);
  });

  test("of keyturn is one that it has, and a test of the command line runs it", () => {
    const tests = globSync(["test/cli/*.test.ts", "test/flow/*.ts", "test/support/world.ts"], { cwd: root })
      .map(read)
      .join("\n");
    const program = read("src/cli/program.ts");
    const names = new Set(
      pages.flatMap(({ text }) =>
        [...text.matchAll(/`(?:keyturn|npm run keyturn --) ([a-z][a-z-]*)\b/g)].map(([, name = ""]) => name),
      ),
    );
    expect(names.size).toBeGreaterThan(5);
    const unknown = [...names].filter((name) => !new RegExp(`command\\("${name}[" ]`).test(program));
    expect(unknown).toEqual([]);
    const untested = [...names].filter((name) => !tests.includes(`"${name}"`));
    expect(untested).toEqual([]);
  });

  test("of keyturn has the subcommands and options that are shown with it", async () => {
    const lines = pages.flatMap(({ file, text }) =>
      [...text.matchAll(/(?:`|\bapp\/)(?:keyturn(?:\.mjs)?|npm run keyturn --) ([a-z][^`"\n]*)/g)].map(
        ([, line = ""]) => ({ file, line: line.replaceAll("\\|", "|") }),
      ),
    );
    expect(lines.length).toBeGreaterThan(20);
    const wrong: string[] = [];
    for (const { file, line } of lines) {
      for (const name of await unknownIn(line)) wrong.push(`${file}: keyturn ${line}: ${name}`);
    }
    expect(wrong).toEqual([]);
  });

  test("in a block for the shell is a script, or the block says why it is not run here", () => {
    const wrong = pages.flatMap((page) =>
      blocksOf(page)
        .filter(({ info }) => shells.test(info))
        .flatMap(({ text }) => text.trim().split("\n"))
        .filter((line) => !/^npm (run|test)\b/.test(line.trim()))
        .map((line) => `${page.file}: ${line}`),
    );
    expect(wrong).toEqual([]);
    const reasons = pages.flatMap((page) =>
      blocksOf(page).filter(({ info }) => info.startsWith("sh ") && !/^sh not-run: \S+ \S+/.test(info)),
    );
    expect(reasons).toEqual([]);
  });
});

/** Under whatever name a block says that it is for a shell; with a reason behind it, `sh` alone is right. */
const shells = /^(?:sh$|(?:bash|zsh|shell|console|shellsession|powershell)\b)/;

/** What a command line shows that `keyturn` does not have, as its own help says. */
async function unknownIn(line: string): Promise<string[]> {
  const words = line.split(/\s+/);
  const [first = "", second = ""] = words;
  const subcommands = /^[[a-z]/.test(second) ? second.replaceAll(/[[\]]/g, "").split("|") : [];
  const help = await helpOf([first]);
  if (help === undefined) return [first];
  const known = subcommandsIn(help);
  // `rotate vault/name`: what stands behind a command without subcommands is its argument.
  const named = known.length === 0 ? [] : subcommands;
  const texts = await Promise.all(named.map((name) => helpOf([first, name])));
  const options = [...line.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([option]) => option);
  const all = [help, ...texts].join("\n");
  return [
    ...named.filter((name) => !known.includes(name)),
    ...options.filter((option) => !new RegExp(`^  ${option}\\b(?!-)`, "m").test(all)),
  ];
}

async function helpOf(command: readonly string[]): Promise<string | undefined> {
  const { code, out } = await run([...command, "--help"]);
  return code === 0 ? out : undefined;
}

function subcommandsIn(help: string): string[] {
  const list = /^Commands:\n((?: {2}.*\n?)+)/m.exec(help)?.[1] ?? "";
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = ""]) => name);
}
