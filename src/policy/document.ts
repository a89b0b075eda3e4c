import {
  type Document,
  type ErrorCode,
  LineCounter,
  type Node,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseDocument,
  visit,
} from "yaml";

/** Counted from 1, as editors do. */
interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Finding extends Position {
  readonly text: string;
}

export type Path = readonly PropertyKey[];

export interface PolicyDocument {
  readonly value: unknown;
  /** Of the value at `path`, of its key, or of the nearest thing around it that the file does contain. */
  position(path: Path, part?: "key" | "value"): Position;
}

/** A policy of 500 secrets has about 300 kB. */
const largest = 1024 * 1024;
const mostFindings = 20;

/**
 * Reads one plain YAML document. Refused is all that makes a file mean something else than what a reviewer sees: two
 * keys of one name, anchors and aliases, merge keys, tags, directives, a second document.
 */
export function readDocument(text: string): PolicyDocument | Finding[] {
  if (text.length > largest) return [{ line: 1, column: 1, text: "the file is larger than 1 MiB" }];
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    merge: false,
    // Not "silent": that also silences the error about a second document.
    logLevel: "error",
  });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const errors = document.errors.map((error) => ({ ...at(error.pos[0]), text: explain(error) }));
  const findings = [...errors, ...tricks(document, at)];
  if (findings.length > 0) return findings.slice(0, mostFindings);
  return {
    value: document.toJS({ maxAliasCount: 0 }) as unknown,
    position: (path, part = "value") => at(offsetOf(document, path, part)),
  };
}

function explain({ code, message }: { code: ErrorCode; message: string }): string {
  if (code === "DUPLICATE_KEY") return "this key is here twice; keep one of them";
  if (code === "MULTIPLE_DOCS")
    return "a second document starts here; a policy is one document, remove the ---";
  if (code === "NON_STRING_KEY") return "a key must be plain text";
  if (code === "RESOURCE_EXHAUSTION") return "this is nested too deeply";
  return `not valid YAML: ${message}`;
}

function tricks(document: Document, at: (offset: number) => Position): Finding[] {
  const findings: Finding[] = [];
  const found = (node: Node, text: string) => findings.push({ ...at(node.range?.[0] ?? 0), text });
  if (document.directives?.yaml.explicit || Object.keys(document.directives?.tags ?? {}).length > 1) {
    findings.push({ ...at(0), text: "a policy has no % directives; remove them" });
  }
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key)) return;
      if (key.value === "<<") found(key, "merge keys (<<) are not allowed; write the entries out");
      if (key.value === "__proto__") found(key, "a key cannot have this name; remove it");
    },
    Node(_, node) {
      if (isAlias(node)) found(node, "aliases (*) are not allowed; write the value out");
      else if (node.anchor) found(node, "anchors (&) are not allowed; remove it");
      if (node.tag)
        found(node, `tags are not allowed; remove ${node.tag.replace(/^tag:yaml.org,2002:/, "!!")}`);
    },
  });
  return findings;
}

function offsetOf(document: Document, path: Path, part: "key" | "value"): number {
  let node: unknown = document.contents;
  let [key, value] = [0, startOf(node) ?? 0];
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (!pair) return value;
      key = startOf(pair.key) ?? value;
      node = pair.value;
      // An empty value has no place of its own worth pointing at.
      value = isScalar(node) && node.source === "" ? key : (startOf(node) ?? key);
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      key = value = startOf(node) ?? value;
    } else return value;
  }
  return part === "key" ? key : value;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
