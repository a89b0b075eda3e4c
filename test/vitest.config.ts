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

// Ceilings, for whoever waits in vain; on a busy machine everything takes several times as long.
const patience = { testTimeout: 300_000, hookTimeout: 300_000 };

/** Pure computing: one file for each core. */
const computing = { ...patience, maxWorkers: cores, sequence: { groupOrder: 0 } };

/** Most of the time such a file waits, for a program or for a deadline; several share a core. */
const waiting = {
  ...patience,
  isolate: true,
  pool: "forks",
  maxWorkers: Math.min(3 * cores, 12),
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  test: {
    root,
    sequence: { sequencer: longestFirst(files) },
    projects: [
      project("unit", { ...computing, isolate: false, pool: "threads" }),
      project("minute", { ...computing, isolate: true, pool: "forks" }),
      project("process", waiting),
      project("servers", waiting),
      project("flow", { ...waiting, globalSetup: ["test/support/bundles.ts"] }),
    ],
  },
});
