import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "rolldown";
import { loadConfig } from "rolldown/config";
import { bundlesVariable, root } from "./entry-points.ts";

/**
 * Runs once before all tests that start programs, and makes one file of each program that they start most: keyturn, by
 * the settings of its image, and the sample application. As sources they would spend most of a test's time on starting.
 */
export default async function bundle(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-bundles-"));
  const settings = await loadConfig(join(root, "deploy/rolldown.config.mjs"));
  if (typeof settings === "function" || Array.isArray(settings) || Array.isArray(settings.output))
    throw new Error("the image is made of one bundle");
  const { output } = settings;
  const write = (input: string, name: string) =>
    build({
      ...settings,
      cwd: root,
      logLevel: "warn",
      input,
      output: { ...output, file: join(folder, name) },
    });
  await Promise.all([
    write("src/main.ts", "keyturn.mjs"),
    write("test/demo/sample-app.ts", "sample-app.mjs"),
  ]);
  process.env[bundlesVariable] = folder;
  return () => rm(folder, { recursive: true, force: true });
}
