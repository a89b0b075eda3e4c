import { ConnectionCut } from "../local-azure/http.ts";
import { Fault } from "../../src/errors.ts";

/**
 * Where a process dies, relative to one call to the outside: before it is sent; after its effect, with the answer lost;
 * or as soon as it has the answer. `cut` is the fourth thing that can happen to a call: its effect is done, the answer
 * is lost, and the process lives and has to cope.
 */
export const deaths = ["before", "lost", "after"] as const;
export type Position = (typeof deaths)[number] | "cut";

/** What happens at the call with this number, counted over the whole run. */
export interface Trouble {
  readonly at: number;
  readonly position: Position;
  /** Redis forgets everything as well. */
  readonly flush?: boolean;
}

/** One run of the worker: everything that it remembers goes with it. */
export interface Process {
  readonly id: string;
  alive: boolean;
  /** Dies at its next call. */
  doomed: boolean;
  /** Values that this process has seen its rotators verify. */
  readonly verified: Set<string>;
  /** Runs of jobs and messages at work. */
  running: number;
  /** Jobs that Redis has taken from it. */
  queued: number;
}

export function createProcess(id: string): Process {
  return { id, alive: true, doomed: false, verified: new Set(), running: 0, queued: 0 };
}

/** What a caller sees of a call whose connection is cut. */
export const cutOff = {
  http: () => new ConnectionCut("cut"),
  port: () => new Fault("unavailable", "the connection was cut"),
} as const;

/** What a dead process waits for. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** Every call of a process to the outside goes through here. */
export type Pass = <T>(
  process: Process,
  label: string,
  effect: () => Promise<T> | T,
  cut: () => Error,
) => Promise<T>;

/** A port of which every call of a method is a call to the outside. */
export function throughPass<T extends object>(port: T, name: string, process: Process, pass: Pass): T {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) =>
        pass(process, `${name}.${String(key)}`, () => Reflect.apply(member, target, args), cutOff.port);
    },
  });
}
