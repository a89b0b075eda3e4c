import { inspect } from "node:util";
import type { z } from "zod";
import type { Path } from "./document.ts";

/** Something wrong at a place of the file: what was found, what was expected, what to do. */
export interface Problem {
  readonly path: Path;
  /** Points at the key instead of its value. */
  readonly part?: "key";
  readonly text: string;
}

type Issue = z.core.$ZodIssue;

/** Keys people will look for: what they stand for is designed, but not built. */
const notYet = new Set(["webhook", "webhooks", "notify", "notifications", "retries", "freeze"]);

/** Parses, and says in words what does not fit. `at` is where in the file `raw` stands. */
export function parsePart<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  at: Path = [],
): { value?: T; problems: Problem[] } {
  const result = schema.safeParse(raw, { error: expectation });
  if (result.success) return { value: result.data, problems: [] };
  return { problems: result.error.issues.flatMap((issue) => describe(issue, raw, at)) };
}

/** The wording for issues whose schema brings none: those of rotators' targets, mostly. */
function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") return `expected ${nouns[issue.expected] ?? issue.expected}`;
  if (issue.code === "unrecognized_keys") return "expected no such key";
  if (issue.code === "invalid_value") return `expected ${issue.values.map(String).join(", ")}`;
  if (issue.code === "too_small") return `expected at least ${issue.minimum}${unit(issue.origin)}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}${unit(issue.origin)}`;
  return undefined;
}

function describe(issue: Issue, raw: unknown, at: Path): Problem[] {
  const path = [...at, ...issue.path];
  const found = valueAt(raw, issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      part: "key",
      text: unknownKey(key, issue.message),
    }));
  }
  if (issue.code === "invalid_union" && isObject(found)) {
    const closest = issue.errors.toSorted((one, other) => one.length - other.length)[0];
    if (closest?.length) return closest.flatMap((inner) => describe(inner, found, path));
  }
  return [
    {
      path,
      text: found === undefined ? `missing; ${issue.message}` : `found ${show(found)}; ${issue.message}`,
    },
  ];
}

function unknownKey(key: string, expected: string): string {
  return notYet.has(key) ? `"${key}" is not supported yet; remove it` : `unknown key "${key}"; ${expected}`;
}

/** What was found, short enough for a line. */
function show(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a map";
  const text = typeof value === "string" ? JSON.stringify(value) : inspect(value);
  return text.length > 80 ? `${text.slice(0, 77)}..."` : text;
}

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isObject(value) ? Reflect.get(value, key) : undefined), raw);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function unit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " entries" : "";
}

const nouns: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
};
