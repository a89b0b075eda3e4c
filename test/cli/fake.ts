import type { CommandLine, Session } from "../../src/cli/dependencies.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { Fault } from "../../src/errors.ts";
import { policyJsonSchema } from "../../src/policy/schema.ts";
import type { Stage } from "../../src/queue/contracts.ts";
import type { DeadLetter } from "../../src/queue/dead-letters.ts";
import type { WatchedProgress } from "../../src/queue/watch.ts";
import { rotationId } from "../../src/rotation/record/rotation-id.ts";
import type { SecretStatus } from "../../src/rotation/status.ts";
import { load, policyText, vaultId } from "../policy/fixtures.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

export const now = Date.UTC(2026, 0, 1, 12);
export const key = "prod-kv/orders-db";
export const version = "0123456789abcdef0123456789abcdef";
export const rotation = rotationId(vaultId("prod-kv"), "orders-db", version);

const secrets = ["orders-db", "session-key"]
  .map((name) => `\n  - vault: prod-kv\n    name: ${name}\n    rotator: plain`)
  .join("");

const policy = load(policyText({ secrets }));

interface Queued {
  readonly stage: Stage;
  readonly data: object;
  readonly options: unknown;
}

/** What the outside does; the rest is as on a quiet day. */
export interface Outside {
  readonly latestVersion?: Session["latestVersion"];
  readonly statusOf?: (key: string) => Partial<SecretStatus>;
  readonly letters?: readonly DeadLetter[];
  /** What the watch tells once something has been queued; then it is silent until it is aborted. */
  readonly steps?: readonly Partial<WatchedProgress>[];
  /** Called when the watch has told all. */
  readonly silence?: () => void;
  readonly watchReady?: () => Promise<void>;
  readonly enqueue?: () => Promise<string>;
  readonly openSession?: () => Promise<never>;
  readonly files?: Readonly<Record<string, string>>;
  readonly colour?: boolean;
  readonly actor?: string;
  readonly interrupted?: AbortSignal;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly queued: readonly Queued[];
  readonly replayed: readonly string[];
  /** Sessions opened and not closed; watches opened and not ended. */
  readonly leftOpen: number;
  readonly clock: ReturnType<typeof createVirtualClock>;
}

/** Runs one command in a world of plain objects. */
export async function run(args: readonly string[], outside: Outside = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const seen = { queued: [] as Queued[], replayed: [] as string[], leftOpen: 0 };
  const clock = createVirtualClock(now);
  const line: CommandLine = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    colour: outside.colour ?? false,
    clock,
    interrupted: outside.interrupted ?? new AbortController().signal,
    actor: "actor" in outside ? outside.actor : "ada",
    newRequestId: () => "request-1",
    runWorker: () => Promise.resolve(0),
    openSession: outside.openSession ?? (() => Promise.resolve(createSession(outside, seen))),
    checkPolicy: (file) => Promise.resolve(load(outside.files?.[file] ?? "")),
    policySchema: policyJsonSchema,
  };
  const code = await runCommandLine(line, "1.2.3", args);
  return { code, out: out.join("\n"), err: err.join("\n"), clock, ...seen };
}

interface Seen {
  readonly queued: Queued[];
  readonly replayed: string[];
  leftOpen: number;
}

function createSession(outside: Outside, seen: Seen): Session {
  const asked = Promise.withResolvers<void>();
  let closed = false;
  seen.leftOpen++;
  return {
    policy,
    async enqueue(stage, data, options) {
      const id = (await outside.enqueue?.()) ?? "job-1";
      if (closed) throw new Error("the session is closed");
      seen.queued.push({ stage, data, options });
      asked.resolve();
      return id;
    },
    deadLetters: {
      list: () => Promise.resolve([...(outside.letters ?? [])]),
      replay(id, enqueue) {
        if (!outside.letters?.some((letter) => letter.id === id))
          return Promise.reject(new Fault("not-found", `there is no dead letter ${id}`));
        seen.replayed.push(id);
        return enqueue("sweep-vaults", { deep: false });
      },
    },
    watch(signal) {
      seen.leftOpen++;
      signal.addEventListener("abort", () => seen.leftOpen--, { once: true });
      return {
        ready: outside.watchReady?.() ?? Promise.resolve(),
        [Symbol.asyncIterator]: () => tell(outside, asked.promise, signal),
      };
    },
    statusOf: ({ key: secret }) => Promise.resolve({ ...quiet(secret), ...outside.statusOf?.(secret) }),
    latestVersion: outside.latestVersion ?? (() => Promise.resolve(version)),
    [Symbol.asyncDispose]() {
      closed = true;
      seen.leftOpen--;
      return Promise.resolve();
    },
  };
}

async function* tell(
  { steps = [], silence }: Outside,
  asked: Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<WatchedProgress> {
  const usual = { at: now, stage: "rotate-secret", jobId: "job-1", text: "", secret: key, rotation } as const;
  await asked;
  for (const step of steps) yield { ...usual, step: "", ...step };
  silence?.();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function quiet(secret: string): SecretStatus {
  return {
    secret,
    rotator: "plain",
    version,
    createdAt: now - 3 * 3_600_000,
    expiresAt: now + 29.5 * 86_400_000,
    dueAt: now + 86_400_000,
    state: "ok",
    rotation: undefined,
    next: "nothing to do until tomorrow",
  };
}
