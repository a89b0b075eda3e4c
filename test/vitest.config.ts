import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { readSourceFiles, root } from "./sorting/files.ts";
import { longestFirst } from "./sorting/longest-first.ts";
import { type Need, sortTests } from "./sorting/needs.ts";

/**
 * One project for each need. `unit` files share their processes. The others get a process each: those that change
 * something process-wide, because the next file would find it changed, and those that start programs, so that an end by
 * force takes along only what is theirs.
 */
const files = readSourceFiles();
const tests = sortTests(files);
const cores = availableParallelism();

function project(name: Need, settings: object) {
  return { test: { name, root, include: tests[name], ...settings } };
}

/** Most of the time such a file waits, for a program or for a deadline; too many at a time make each other late. */
const waiting = {
  isolate: true,
  pool: "forks",
  maxWorkers: Math.min(3 * cores, 12),
  // A ceiling, for whoever waits in vain; on a busy machine everything takes several times as long.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  test: {
    root,
    sequence: { sequencer: longestFirst(files) },
    projects: [
      project("unit", { isolate: false, pool: "threads", maxWorkers: cores, testTimeout: 60_000 }),
      project("minute", waiting),
      project("process", waiting),
      project("servers", waiting),
      project("flow", { ...waiting, globalSetup: ["test/support/bundles.ts"] }),
    ],
  },
});
