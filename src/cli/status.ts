import { findSecretByKey } from "../policy/lookup.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { DerivedStatus, SecretStatus } from "../rotation/status.ts";
import { type CommandLine, exitCode, type Session } from "./dependencies.ts";
import { colours, relative, table } from "./output.ts";
import { unknownSecret } from "./unknown-secret.ts";

export interface StatusOptions {
  readonly json?: boolean;
}

/** Secrets observed at the same time: enough to be quick with hundreds of secrets, too few to be throttled. */
const lanes = 8;

/** What is there, what is due, what is under way, who has to decide. */
export async function status(
  line: CommandLine,
  key: string | undefined,
  { json }: StatusOptions,
): Promise<number> {
  await using session = await line.openSession();
  const { policy } = session;
  const found = key === undefined ? undefined : findSecretByKey(policy, key);
  if (key !== undefined && !found) return unknownSecret(line, policy, key);
  const rows = await lookAt(session, found ? [found] : policy.secrets, line.interrupted);
  line.out(json ? JSON.stringify(rows.map(withTimes), undefined, 2) : print(line, rows));
  return rows.some(needsAttention) ? exitCode.attention : exitCode.done;
}

async function lookAt(
  session: Session,
  secrets: readonly SecretPolicy[],
  signal: AbortSignal,
): Promise<SecretStatus[]> {
  const rows: SecretStatus[] = [];
  const left = [...secrets.entries()];
  const lane = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [index, secret] = next;
      rows[index] = await session.statusOf(secret, signal);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return rows;
}

function needsAttention({ state }: SecretStatus): boolean {
  return state === "due" || state === "needs-human" || state === "unreachable";
}

function print(line: CommandLine, rows: readonly SecretStatus[]): string {
  const colour = colours(line);
  const paint = {
    ok: colour.green,
    due: colour.yellow,
    open: colour.cyan,
    "needs-human": colour.red,
    unreachable: colour.red,
  };
  return table(
    ["SECRET", "STATE", "VERSION", "AGE", "EXPIRES", "NEXT"],
    rows.flatMap((row) => [
      [...cells(row, paint[row.state](row.state), line), row.next],
      ...(row.derived ?? []).map((each) => [...cells(each, each.state, line), `derived from ${row.secret}`]),
    ]),
  );
}

function cells(
  { secret, version, createdAt, expiresAt }: SecretStatus | DerivedStatus,
  state: string,
  { clock }: CommandLine,
): string[] {
  return [secret, state, version?.slice(0, 8) ?? "-", relative(createdAt, clock), relative(expiresAt, clock)];
}

/** Times as ISO 8601, for machines. */
function withTimes({ dueAt, derived, ...row }: SecretStatus): object {
  const dated = <T extends SecretStatus | DerivedStatus | typeof row>(each: T) => ({
    ...each,
    createdAt: iso(each.createdAt),
    expiresAt: iso(each.expiresAt),
  });
  return { ...dated(row), dueAt: iso(dueAt), ...(derived && { derived: derived.map(dated) }) };
}

function iso(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
