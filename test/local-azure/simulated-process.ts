import type { RunProcess } from "./container-process.ts";

/** For virtual time and thousands of groups: a container that runs until it is ended. */
export const simulateProcess: RunProcess = () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  return { pid: undefined, exited: promise, end: () => resolve(143) };
};
