import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Names the folder of `bundles.ts` to the processes of the tests. */
export const bundlesVariable = "KEYTURN_TEST_BUNDLES";

/** A program as node is told to start it, with what it wants in its environment for a quick start. */
export interface EntryPoint {
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Keyturn and the sample application: as bundles in tests, as sources everywhere else. */
export const keyturn = (): EntryPoint => entryPoint("src/main.ts", "keyturn.mjs");
export const sampleApp = (): EntryPoint => entryPoint("test/demo/sample-app.ts", "sample-app.mjs");

function entryPoint(source: string, bundle: string): EntryPoint {
  const folder = process.env[bundlesVariable];
  if (folder === undefined) return { file: join(root, source), environment: {} };
  // Node keeps what it has compiled there; gone with the bundles.
  return { file: join(folder, bundle), environment: { NODE_COMPILE_CACHE: join(folder, "compiled") } };
}
