import type { Clock } from "../clock.ts";
import type { Policy, SecretPolicy } from "../policy/policy.ts";
import type { Enqueue } from "../queue/contracts.ts";
import type { DeadLetters } from "../queue/dead-letters.ts";
import type { Watch } from "../queue/watch.ts";
import type { SecretStatus } from "../rotation/status.ts";

/** What a command that reaches Azure or Redis works with; opened when the command runs, closed after it. */
export interface Session extends AsyncDisposable {
  readonly policy: Policy;
  readonly enqueue: Enqueue;
  readonly deadLetters: DeadLetters;
  /** Follows all jobs until the signal aborts, and from now on takes Ctrl-C as `CommandLine.interrupted`. */
  watch(signal: AbortSignal): Watch;
  statusOf(secret: SecretPolicy, signal: AbortSignal): Promise<SecretStatus>;
  /** Version id of what an unversioned read returns; `undefined` if there is no such secret. */
  latestVersion(secret: SecretPolicy, signal: AbortSignal): Promise<string | undefined>;
}

/** What the command line needs from the outside; built in `src/main.ts`. */
export interface CommandLine {
  /** Writes a line to stdout. */
  out(line: string): void;
  /** Writes a line to stderr. */
  err(line: string): void;
  readonly colour: boolean;
  readonly clock: Clock;
  /** Aborts on Ctrl-C while a watch is open; at any other time Ctrl-C ends the process, as nothing is half done. */
  readonly interrupted: AbortSignal;
  /** Who is asking, as the machine knows them; recorded with a request. */
  readonly actor: string | undefined;
  newRequestId(): string;
  /** Runs the worker until it is asked to stop. Resolves with the exit code. */
  runWorker(): Promise<number>;
  openSession(): Promise<Session>;
  /** @throws Fault `invalid-policy` with every problem and its line */
  checkPolicy(file: string): Promise<Policy>;
  /** JSON schema of the policy file. */
  policySchema(): object;
}

/** What a process returns to the shell. */
export const exitCode = {
  /** Done, or already under way. */
  done: 0,
  failed: 1,
  /** Wrong usage, configuration or policy. */
  usage: 2,
  /** Something is due, odd or needs a human. */
  attention: 3,
  /** `--wait` was interrupted; the job goes on. */
  interrupted: 130,
} as const;
