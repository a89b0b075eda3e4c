import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./cache.ts";

const run = promisify(execFile);

/** Packages of the distribution, unpacked into a folder; nothing is installed and no root is needed. */
export interface Unpacked {
  /** Stands for `/` of the packages. */
  readonly root: string;
  /** Lets their programs find the libraries that came with them. */
  readonly env: Readonly<Record<string, string>>;
}

/** @throws Error if this is no Debian-like system, or the packages cannot be had */
export async function unpackDebian(name: string, packages: readonly string[]): Promise<Unpacked> {
  const release = await debianRelease();
  const root = await cached(`${name}-${release}-${process.arch}`, (folder) => download(folder, packages));
  return { root, env: { LD_LIBRARY_PATH: (await libraries(root)).join(":") } };
}

async function debianRelease(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  if (!/\b(debian|ubuntu)\b/.test(`${field("ID")} ${field("ID_LIKE")}`))
    throw new Error("not a Debian-like system");
  return `${field("ID")}-${field("VERSION_ID") || field("VERSION_CODENAME")}`;
}

/**
 * apt as an ordinary user: it keeps its lists and archives in `folder`, takes no system lock and does not change to
 * its sandbox user. It resolves dependencies against what the system has, so only what is missing is fetched.
 */
async function download(folder: string, packages: readonly string[]): Promise<void> {
  const lists = join(folder, "apt/lists");
  const archives = join(folder, "apt/archives");
  await Promise.all([lists, archives].map((path) => mkdir(join(path, "partial"), { recursive: true })));
  const own = {
    "Dir::State::Lists": lists,
    "Dir::Cache": join(folder, "apt"),
    "Dir::Cache::Archives": archives,
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "",
    "Acquire::Retries": "3",
  };
  const options = Object.entries(own).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  await apt([...options, "update"]);
  await apt([...options, "install", "-y", "--no-install-recommends", "--download-only", ...packages]);
  for (const file of await readdir(archives))
    if (file.endsWith(".deb")) await run("dpkg-deb", ["-x", join(archives, file), folder]);
  await rm(join(folder, "apt"), { recursive: true });
}

async function apt(args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  try {
    await run("apt-get", args, { env, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const printed = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    const reasons = printed.split("\n").filter((line) => line.startsWith("E:"));
    throw new Error(reasons.join(" ") || `apt-get failed: ${String(error)}`, { cause: error });
  }
}

/** Debian keeps libraries in `usr/lib/<architecture>-linux-gnu`. */
async function libraries(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const parent of ["usr/lib", "lib"]) {
    const names = await readdir(join(root, parent)).catch(() => []);
    found.push(
      ...names.filter((name) => name.includes("-linux-gnu")).map((name) => join(root, parent, name)),
    );
  }
  return found;
}
