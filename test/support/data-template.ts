import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./cache.ts";

const run = promisify(execFile);

export interface DataTemplate {
  /** Of the server. */
  readonly name: string;
  /** All that the data depend on, such as the server's version: another text makes another template. */
  readonly key: readonly string[];
  /** User and group that own the data. */
  readonly user: number | undefined;
  /** Makes the folder `data` in this folder, which belongs to the user. */
  readonly make: (folder: string) => Promise<void>;
}

/**
 * Copies the data folder of a new database server to `to`. Making one takes a second or more of computing, more than most
 * tests need for all the rest, so it is made once for each version of the server and kept with the downloaded programs.
 */
export async function copyDataTemplate({ name, key, user, make }: DataTemplate, to: string): Promise<void> {
  const version = createHash("sha256")
    .update(JSON.stringify([user, ...key]))
    .digest("hex")
    .slice(0, 16);
  const template = await cached(`${name}-data-${version}`, async (content) => {
    // Not in `content` itself: its parent is closed to the user.
    const folder = await mkdtemp(join(tmpdir(), `keyturn-${name}-`));
    try {
      if (user !== undefined) await chown(folder, user, user);
      await make(folder);
      await run("cp", ["-Rp", join(folder, "data"), content]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  await run("cp", ["-Rp", join(template, "data"), to]);
}

/** What a program says about itself, for the key of a template. */
export async function versionOf(program: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await run(program, ["--version"], { env });
  return `${program} ${stdout}`;
}
