import { globSync, readFileSync } from "node:fs";
import { dirname, join, matchesGlob, posix } from "node:path";
import { fileURLToPath } from "node:url";

/** What a file of the project imports and names. Paths are relative to the project's root. */
export interface SourceFile {
  readonly text: string;
  /** Imports that are there when it runs: project files by path, packages and Node's modules by name. */
  readonly imports: readonly string[];
  /** Project files that it starts or reads by name, such as `src/main.ts`. */
  readonly named: readonly string[];
}

export type SourceFiles = ReadonlyMap<string, SourceFile>;

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** All files that a test can depend on; links are taken from their texts, which takes a tenth of a second. */
export function readSourceFiles(folder = root): SourceFiles {
  const paths = globSync("{src,jobs,test,deploy}/**/*.*", { cwd: folder }).concat(
    globSync("*.*", { cwd: folder }),
  );
  const texts = paths.map((path) => [path.replaceAll("\\", "/"), read(join(folder, path))] as const);
  return linkSourceFiles(new Map(texts));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A folder with a dot in its name, or a file that is gone by now.
    return "";
  }
}

export function linkSourceFiles(texts: ReadonlyMap<string, string>): SourceFiles {
  return new Map(
    [...texts].map(([path, text]) => [
      path,
      path.endsWith(".ts")
        ? { text, imports: importsOf(path, text), named: namedIn(path, text, texts) }
        : { text, imports: [], named: [] },
    ]),
  );
}

/** Type imports are gone when the file runs. */
const importPattern =
  /^\s*(?:import|export)\b(?! type\b)[^;"]*?\bfrom "([^"]+)"|^\s*import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(importPattern)].map(([, from, bare, dynamic]) => {
    const name = from ?? bare ?? dynamic ?? "";
    return name.startsWith(".") ? posix.join(dirname(path), name) : name;
  });
}

/** Text in quotes that is the path of a file, seen from the root or from beside, or a pattern of such paths. */
function namedIn(path: string, text: string, texts: ReadonlyMap<string, string>): string[] {
  const quoted = [...text.matchAll(/["'`]([\w.{},*/-]+)["'`]/g)].map(([, name = ""]) => name);
  return [...new Set(quoted)].flatMap((name) => {
    if (name.includes("*")) return [...texts.keys()].filter((file) => matchesGlob(file, name));
    return [name, posix.join(dirname(path), name)].filter((file) => texts.has(file));
  });
}

/** Everything that `start` comes to, itself included, over the links that `next` gives. */
export function reach(
  files: SourceFiles,
  start: string,
  next: (file: SourceFile) => readonly string[],
): Set<string> {
  const seen = new Set([start]);
  for (const path of seen) {
    const file = files.get(path);
    for (const target of file ? next(file) : []) seen.add(target);
  }
  return seen;
}

export function isTest(path: string): boolean {
  return path.startsWith("test/") && path.endsWith(".test.ts");
}
