import { access, constants, glob } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { type Unpacked, unpackDebian } from "./debian-packages.ts";

/** Programs of one server: all in one folder, and what they need in their environment. */
export interface Programs {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The folder and name of a Redis server. `KEYTURN_TEST_REDIS` names another program to use. */
export async function findRedis(): Promise<Programs & { readonly program: string }> {
  const given = process.env["KEYTURN_TEST_REDIS"];
  if (given) return { folder: dirname(given), program: given, env: {} };
  const names = ["redis-server", "valkey-server"];
  for (const name of names) {
    const folder = await firstWith(searchPath(), [name]);
    if (folder) return { folder, program: join(folder, name), env: {} };
  }
  const { root, env } = await unpackFirst("Redis", names, "KEYTURN_TEST_REDIS=/path/to/redis-server");
  const folder = join(root, "usr/bin");
  const name = (await firstWith([folder], ["redis-server"])) ? "redis-server" : "valkey-server";
  return { folder, program: join(folder, name), env };
}

/**
 * The folder of `initdb` and `postgres`. `KEYTURN_TEST_POSTGRES` names another folder to use; log-ins with a token need a
 * build with LDAP, as Debian's is.
 */
export async function findPostgres(): Promise<Programs> {
  const given = process.env["KEYTURN_TEST_POSTGRES"];
  if (given) return { folder: given, env: {} };
  const needed = ["initdb", "postgres"];
  const folder = await firstWith([...searchPath(), ...(await newestFirst("/"))], needed);
  if (folder) return { folder, env: {} };
  const hint = "KEYTURN_TEST_POSTGRES=/folder/of/initdb";
  const { root, env } = await unpackFirst("PostgreSQL", ["postgresql"], hint);
  const unpacked = await firstWith(await newestFirst(root), needed);
  if (!unpacked) throw new Error(`the PostgreSQL packages hold no initdb; remove ${root} and try again`);
  return { folder: unpacked, env };
}

/** The folder of `mariadbd`. `KEYTURN_TEST_MARIADB` names another folder to use. */
export async function findMariaDb(): Promise<Programs & { readonly share: string }> {
  const shareOf = (folder: string) => join(folder, "../share", "mysql");
  const given = process.env["KEYTURN_TEST_MARIADB"];
  if (given) return { folder: given, env: {}, share: shareOf(given) };
  const folder = await firstWith([...searchPath(), "/usr/sbin"], ["mariadbd"]);
  if (folder) return { folder, env: {}, share: shareOf(folder) };
  const hint = "KEYTURN_TEST_MARIADB=/folder/of/mariadbd";
  const { root, env } = await unpackFirst("MariaDB", ["mariadb-server-core"], hint);
  const unpacked = join(root, "usr/sbin");
  return { folder: unpacked, env, share: shareOf(unpacked) };
}

async function unpackFirst(server: string, packages: readonly string[], hint: string): Promise<Unpacked> {
  const reasons: string[] = [];
  for (const name of packages) {
    try {
      return await unpackDebian(name, [name]);
    } catch (error) {
      reasons.push(`  ${name}: ${error instanceof Error ? error.message.trim() : String(error)}`);
    }
  }
  throw new Error(
    [
      `${server} is needed and was not found; downloading it failed:`,
      ...reasons,
      `Install it, or set ${hint}.`,
    ].join("\n"),
  );
}

function searchPath(): string[] {
  const usual = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"];
  return [...(process.env["PATH"] ?? "").split(delimiter).filter(Boolean), ...usual];
}

/** Debian keeps each major version of PostgreSQL in a folder of its own, off the path. */
async function newestFirst(root: string): Promise<string[]> {
  const folders: string[] = [];
  for await (const folder of glob(join(root, "usr/lib/postgresql/*/bin"))) folders.push(folder);
  return folders.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }));
}

/** The first folder in which all programs can be run. */
async function firstWith(folders: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    try {
      await Promise.all(names.map((name) => access(join(folder, name), constants.X_OK)));
      return folder;
    } catch {
      // Not here: the next one.
    }
  }
  return undefined;
}
