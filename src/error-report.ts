import { Fault } from "./errors.ts";

/** What may be reported of any thrown value. */
export interface ErrorReport {
  readonly name: string;
  readonly code?: string;
  /** Only of our own faults: other messages can quote what was sent, parsed or logged in with. */
  readonly message?: string;
  readonly secret?: string;
  readonly frames?: readonly string[];
  readonly cause?: ErrorReport;
}

const depthLimit = 4;
const word = /^[\w.:-]{1,64}$/;

export function reportError(error: unknown, depth = 0): ErrorReport {
  if (!(error instanceof Error)) return reportOther(error);
  const code = "code" in error ? codeOf(error.code) : undefined;
  const frames = framesOf(error);
  return {
    name: word.test(error.name) ? error.name : "Error",
    ...(code !== undefined && { code }),
    ...(error instanceof Fault && { message: error.message }),
    ...(error instanceof Fault && error.secret !== undefined && { secret: error.secret }),
    ...(frames.length > 0 && { frames }),
    ...(error.cause !== undefined && depth < depthLimit && { cause: reportError(error.cause, depth + 1) }),
  };
}

/** Adapters put a plain record of names and codes in place of a foreign error. */
function reportOther(thrown: unknown): ErrorReport {
  if (typeof thrown !== "object" || thrown === null) return { name: typeof thrown };
  const words = ["name", "code", "innerCode", "status", "requestId"].map(
    (key) => [key, codeOf(Object.entries(thrown).find(([own]) => own === key)?.[1])] as const,
  );
  return { name: "object", ...Object.fromEntries(words.filter(([, value]) => value !== undefined)) };
}

function codeOf(code: unknown): string | undefined {
  const text = typeof code === "number" ? String(code) : code;
  return typeof text === "string" && word.test(text) ? text : undefined;
}

/**
 * The lines of a stack below its message. If the message cannot be told from the frames (somebody has changed it since),
 * there are none: a server's text may look like frames.
 */
function framesOf(error: Error): string[] {
  const stack = error.stack ?? "";
  const at = stack.indexOf(error.message);
  const header = stack.slice(0, at + error.message.length);
  const rest = stack.slice(header.length);
  if (at < 0 || header.slice(0, at).includes("\n") || !rest.startsWith("\n")) return [];
  return rest
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}
