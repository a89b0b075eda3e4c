import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

/** A broken variant of our own code: a patch file that says what is broken, why it matters, and who must notice. */
export interface Mutant {
  /** `03-publish-before-verify` */
  readonly name: string;
  /** What is broken and why it matters: the lines above the diff. */
  readonly about: string;
  /** Test files that must catch it. */
  readonly tests: readonly string[];
  readonly edits: readonly Edit[];
}

/** One hunk: these lines of this file become those. */
export interface Edit {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

const folder = import.meta.dirname;

/** All patches of this folder, in the order of their numbers. */
export async function allMutants(): Promise<Mutant[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".patch")).toSorted();
  return names.map((name) => readMutant(basename(name, ".patch"), readFileSync(join(folder, name), "utf8")));
}

/** @throws Error if the header names no tests or nothing is changed */
export function readMutant(name: string, text: string): Mutant {
  const [header = "", ...files] = text.split(/^diff --git .*\n/m);
  const tests = /^Tests: (.+)$/m.exec(header)?.[1]?.split(" ") ?? [];
  const about = header.replace(/^Tests: .*$/m, "").trim();
  const edits = files.flatMap(editsOf);
  if (tests.length === 0 || about === "")
    throw new Error(`${name}: the header is to say what is broken, and Tests:`);
  if (edits.length === 0) throw new Error(`${name}: it changes nothing`);
  return { name, about, tests, edits };
}

function editsOf(diff: string): Edit[] {
  const [header = "", ...hunks] = diff.split(/^@@ .*\n/m);
  const file = /^\+\+\+ b\/(.+)$/m.exec(header)?.[1];
  if (file === undefined) return [];
  return hunks.map((hunk) => {
    const lines = hunk.split("\n").filter((line) => /^[-+ ]/.test(line));
    const side = (mark: string) =>
      lines.filter((line) => !line.startsWith(mark)).map((line) => `${line.slice(1)}\n`);
    return { file, before: side("+").join(""), after: side("-").join("") };
  });
}

/**
 * The text with this edit. Unlike `patch`, it goes by the lines and not by their numbers, which change every day; so the
 * lines must be there exactly once.
 * @throws Error if they are not
 */
export function applied(text: string, { file, before, after }: Edit): string {
  const whole = `\n${text}`;
  const at = whole.indexOf(`\n${before}`);
  if (at < 0) throw new Error(`${file} has no place like this:\n${before}`);
  if (at !== whole.lastIndexOf(`\n${before}`))
    throw new Error(`${file} has several places like this:\n${before}`);
  return text.slice(0, at) + after + text.slice(at + before.length);
}
