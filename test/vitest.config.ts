import { defineConfig } from "vitest/config";

/**
 * `unit` files share one process: they are fast and touch nothing process-wide. `flow` files each get a process of
 * their own, because @azure/identity keeps its source and token cache, and OpenTelemetry its provider, process-wide.
 * A file is a flow when its name ends in `.flow.test.ts`.
 */
const root = new URL("..", import.meta.url).pathname;

export default defineConfig({
  test: {
    root,
    projects: [
      {
        test: {
          name: "unit",
          root,
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.flow.test.ts"],
          isolate: false,
          pool: "threads",
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "flow",
          root,
          include: ["test/**/*.flow.test.ts"],
          isolate: true,
          pool: "forks",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
