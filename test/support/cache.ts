import { chmod, mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A lock older than this was left behind by a process that died. Milliseconds. */
const staleAfter = 5 * 60_000;

/**
 * Where downloaded servers are kept between runs. Not under the home directory: servers started by root run as
 * another user, who could not reach into a home that is closed to others (mode 0700).
 */
async function cacheFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const folder = process.env["KEYTURN_CACHE"] ?? `/var/tmp/keyturn-${uid}`;
  if (await mkdir(folder, { recursive: true })) await chmod(folder, 0o755);
  const found = await stat(folder);
  // /var/tmp belongs to everybody: what somebody else has put there must not be run.
  if (found.uid !== uid || (found.mode & 0o022) !== 0)
    throw new Error(
      `${folder} is writable by others; remove it, or set KEYTURN_CACHE to a folder of your own`,
    );
  return folder;
}

/**
 * The folder `name` of the cache, filled by `fill` once. Test processes start together, so the first fills and the
 * others wait; the folder appears by a rename, complete or not at all.
 */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const cache = await cacheFolder();
  const folder = join(cache, name);
  const lock = `${folder}.lock`;
  while (!(await exists(folder))) {
    if (!(await take(lock))) {
      await delay(50);
      continue;
    }
    try {
      if (!(await exists(folder))) await fillOnce(cache, folder, fill);
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }
  return folder;
}

async function fillOnce(cache: string, folder: string, fill: (draft: string) => Promise<void>) {
  const draft = await mkdtemp(join(cache, "draft-"));
  try {
    const content = join(draft, "content");
    await mkdir(content);
    await fill(content);
    // Whatever the umask: servers run as another user must get in.
    await chmod(content, 0o755);
    await rename(content, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  const age = await stat(lock).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  if (age > staleAfter) await rm(lock, { recursive: true, force: true });
  return mkdir(lock).then(
    () => true,
    () => false,
  );
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
