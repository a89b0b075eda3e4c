import { z } from "zod";
import { createLog, type Log } from "../../src/log.ts";

const Line = z.record(z.string(), z.unknown());

export interface CapturedLog {
  readonly log: Log;
  /** As written, to search for what must not be there. */
  readonly written: string[];
  readonly lines: () => z.infer<typeof Line>[];
}

/** The program's own logger, writing into memory. */
export function captureLog(scrub?: (line: string) => string): CapturedLog {
  const written: string[] = [];
  const log = createLog("debug", { write: (line: string) => void written.push(line) }, scrub);
  return { log, written, lines: () => written.map((line) => Line.parse(JSON.parse(line))) };
}
