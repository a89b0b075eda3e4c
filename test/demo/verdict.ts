import pc from "picocolors";
import { Client } from "pg";
import type { GroupState, SecretVersionState } from "../local-azure/state.ts";
import type { Span } from "../support/spans.ts";
import type { World } from "../support/world.ts";
import type { Meter } from "./meter.ts";

export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Evidence {
  readonly world: World;
  readonly meter: Meter;
  readonly spans: readonly Span[];
  readonly before: { readonly version: string; readonly connectionString: string; readonly role: string };
  /** Container group names. */
  readonly groups: readonly string[];
  /** Start times before the rotation, by group name. */
  readonly startedBefore: ReadonlyMap<string, number>;
}

/** Measures what the demo claims; nothing here is taken from keyturn's own words. */
export async function judge(evidence: Evidence): Promise<Check[]> {
  const { world, before } = evidence;
  const versions = versionsOf(world);
  const old = versions.find(({ version }) => version === before.version);
  const now = versions.at(-1);
  return [
    newVersion(before.version, now),
    ...evidence.groups.map((name) => restarted(evidence, name, now)),
    queries(evidence),
    await logIn(now?.value ?? "", true, "the new credential logs in"),
    await logIn(before.connectionString, false, `the old role '${before.role}' is refused at log-in`),
    { what: "the old version is disabled", ok: old?.enabled === false, detail: before.version },
    oneTrace(evidence.spans),
  ];
}

function versionsOf(world: World): readonly SecretVersionState[] {
  return world.vault.secrets.get("orders-db")?.versions ?? [];
}

function groupOf(world: World, name: string): GroupState | undefined {
  return world.azure.state.groups.get(world.groupId(name).toLowerCase());
}

export function startOf(world: World, name: string): number {
  return Math.min(...(groupOf(world, name)?.containers ?? []).map(({ startTime }) => startTime ?? 0));
}

function newVersion(old: string, now: SecretVersionState | undefined): Check {
  const days = Math.round(((now?.exp ?? 0) - (now?.created ?? 0)) / 86_400);
  const detail = `${old.slice(0, 8)} -> ${now?.version.slice(0, 8)}, expires in ${days} days`;
  return {
    what: "a new version is published",
    ok: now !== undefined && now.version !== old && now.enabled,
    detail,
  };
}

function restarted(
  { world, startedBefore, meter }: Evidence,
  name: string,
  now: SecretVersionState | undefined,
): Check {
  const [earlier, start] = [startedBefore.get(name) ?? 0, startOf(world, name)];
  const served = meter.servedOn(now?.version ?? "").get(name) ?? 0;
  const ok = start > earlier && served > 0;
  const detail = `started ${new Date(start).toISOString()}, ${served} queries on the new version`;
  return { what: `${name} was restarted and reads the new version`, ok, detail };
}

function queries({ meter }: Evidence): Check {
  const { served, failed } = meter.totals();
  return {
    what: "no query failed",
    ok: failed === 0 && served > 0,
    detail: `${served} served, ${failed} failed`,
  };
}

async function logIn(connectionString: string, wanted: boolean, what: string): Promise<Check> {
  const client = new Client({ connectionString, ssl: true, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return { what, ok: wanted, detail: "accepted" };
  } catch (error) {
    const refused = error instanceof Error && "code" in error && String(error.code).startsWith("28");
    return { what, ok: !wanted && refused, detail: refused ? "refused" : "the server did not answer" };
  } finally {
    await client.end().catch(() => {});
  }
}

/** The trace that holds the restarts must be the one in which the event was received. */
export function rotationTrace(spans: readonly Span[]): string | undefined {
  return spans.find(({ name }) => name.startsWith("restart "))?.traceId;
}

function oneTrace(spans: readonly Span[]): Check {
  const trace = rotationTrace(spans);
  const names = spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name);
  const stages = ["receive ", "rotate secret", "publish", "roll dependents", "restart group"];
  const missing = stages.filter((stage) => !names.some((name) => name.startsWith(stage)));
  const detail = missing.length === 0 ? `${names.length} spans, ${trace}` : `missing: ${missing.join(", ")}`;
  return {
    what: "one trace runs from the event to the last restart",
    ok: trace !== undefined && missing.length === 0,
    detail,
  };
}

export function printVerdict(checks: readonly Check[]): boolean {
  const ok = checks.every((check) => check.ok);
  console.log(
    `\n${pc.bold("Verdict")} (measured at Key Vault, PostgreSQL, the container groups and the applications)`,
  );
  for (const check of checks) {
    console.log(`  ${check.ok ? pc.green("ok  ") : pc.red("FAIL")} ${check.what}: ${pc.dim(check.detail)}`);
  }
  console.log(ok ? pc.green("\nRotated.") : pc.red("\nSomething is wrong: see above."));
  return ok;
}
