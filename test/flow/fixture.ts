import { Client } from "pg";
import { onTestFailed } from "vitest";
import { z } from "zod";
import type { SecretVersionState } from "../local-azure/state.ts";
import { until } from "../support/until.ts";
import { newPassword, type World } from "../support/world.ts";

/** The versions of `orders-db` (or another secret), oldest first, as the vault has them. */
export function versionsOf(world: World, name = "orders-db"): readonly SecretVersionState[] {
  return world.vault.secrets.get(name)?.versions ?? [];
}

export function latestOf(world: World, name = "orders-db"): SecretVersionState | undefined {
  return versionsOf(world, name).at(-1);
}

/** For an application that need not show the shortest gap: each of its queries is a log-in, and those are dear. */
export const seldom = { QUERY_PAUSE: "100" };

/** Gives role a a password and stores its connection string. Resolves with the version. */
export async function storeWorkingSecret(
  world: World,
  days: number,
  role = "orders_a",
  tags: Record<string, string> = {},
): Promise<string> {
  const password = newPassword();
  await world.setPassword(role, password);
  return world.store("orders-db", world.connectionString(role, password), days, tags);
}

/** Waits until keyturn has closed the rotation of this version. Resolves with the version that took its place. */
export function rotatedAway(world: World, version: string, limit = 240_000): Promise<SecretVersionState> {
  return until(
    `the rotation of ${version} is closed`,
    () => {
      const latest = latestOf(world);
      const closed = latest?.version !== version && latest?.tags["keyturn-state"] === "retired";
      return closed ? latest : undefined;
    },
    { limit },
  );
}

/** Whether PostgreSQL lets somebody in with this connection string. */
export async function logsIn(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString, ssl: true, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("28")) return false;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Where the worker's probes listen. */
export async function probesOf(world: World): Promise<string> {
  const line = await until("the worker's probes listen", () =>
    world.worker()?.log.findLast((text) => text.includes('"probes listen"')),
  );
  const { port } = z.object({ port: z.number() }).parse(JSON.parse(line));
  return `http://127.0.0.1:${port}`;
}

const Readiness = z.object({
  ready: z.boolean(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), code: z.string().optional() })),
});
export type Readiness = z.infer<typeof Readiness>;

export async function readiness(probes: string): Promise<Readiness> {
  const response = await fetch(`${probes}/readyz`);
  return Readiness.parse(await response.json());
}

/** Ends the worker's process as the kernel would; ACI starts it again. */
export function killWorker(world: World): void {
  const pid = world.worker()?.pid;
  if (pid === undefined) throw new Error("the worker has no process to kill");
  process.kill(pid, "SIGKILL");
}

/** What the worker said last, shown when a test has failed: flows are told best by those who were there. */
export function tellOnFailure(world: () => World): void {
  onTestFailed(() => {
    console.log(world().worker()?.log.slice(-40).join("\n"));
  });
}

/** Waits until the sweep that every worker begins with is over: from then on it is events that start rotations. */
export async function firstSweep(world: World): Promise<void> {
  const events = async () =>
    JSON.stringify(await world.redis.admin("XRANGE", "keyturn:sweep-vaults:events", "-", "+"));
  await until("the first sweep is over", async () => (await events()).includes("completed"));
}

/** Holds the catalogue of roles, so that the next ALTER ROLE waits; log-ins go on. */
export async function blockRoles({ postgres }: World) {
  const holding = postgres
    .sql("BEGIN; LOCK TABLE pg_authid IN SHARE MODE; SELECT pg_sleep(120)")
    .catch(() => {});
  const count = async (what: string) =>
    (await postgres.sql(`SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${what}`)).length >
    0;
  await until("the catalogue is held", () =>
    count("query LIKE '%pg_sleep(120)%' AND wait_event = 'PgSleep'"),
  );
  return {
    blocked: () => count("wait_event_type = 'Lock' AND query LIKE 'ALTER ROLE%'"),
    async release() {
      await postgres.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%pg_sleep(120)%'",
      );
      await holding;
    },
  };
}
