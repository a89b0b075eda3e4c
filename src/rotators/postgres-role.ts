import { z } from "zod";
import { Fault, isFault } from "../errors.ts";
import { alphabets, defaultLength, randomText } from "../providers/passwords.ts";
import { missingRole } from "../providers/postgres-faults.ts";
import type { Postgres } from "../providers/postgres.ts";
import { type Acceptance, type Credential, defineRotator } from "./rotator.ts";

/** PostgreSQL cuts longer names without a word (NAMEDATALEN), so that two of them could be one. */
const Name = z
  .string()
  .regex(/^[^\p{Cc}]+$/u, "a name without control characters")
  .refine((name) => Buffer.byteLength(name) <= 63, "a name has at most 63 bytes");

const Target = z
  .strictObject({
    host: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "a host name in lower case"),
    port: z.int().min(1).max(65_535).default(5432),
    database: Name,
    /** The server's name for keyturn's managed identity. */
    admin: Name,
    /** Two roles take turns, so that the old password works until all dependents have the new one. */
    roles: z.array(Name).min(1).max(2),
    /** End the sessions of a role when its password is retired. */
    endSessions: z.boolean().default(false),
  })
  .refine(({ roles }) => new Set(roles).size === roles.length, {
    path: ["roles"],
    error: "two roles that take turns must differ",
  })
  .refine(({ roles, admin }) => !roles.includes(admin), {
    path: ["roles"],
    error: "keyturn's own role has no password to rotate",
  });
type Target = z.infer<typeof Target>;

/** The password of a PostgreSQL role; with two roles that have the same rights, without downtime. */
export const postgresRole = defineRotator<Target>({
  id: "postgres-role",
  summary: "the password of a PostgreSQL role, or of two roles that take turns",
  origin: "chosen",
  target: Target,
  // ALTER ROLE is one transaction: the next log-in sees it.
  propagation: 0,
  roles: [
    "Microsoft Entra administrator of the server, or CREATEROLE with ADMIN on the roles (PostgreSQL 16)",
  ],
  template: "{password}",
  overlap: ({ roles }) => (roles.length === 2 ? "dual" : "single"),
  slots: ({ roles }) => roles,
  owns: ({ host, port, roles }) => roles.map((role) => `postgres://${host}:${port}/${role}`),
  fields: ({ host, port, database }, credentialId) => ({
    username: credentialId,
    host,
    port: String(port),
    database,
  }),
  choose: (_target, slot, random) => ({
    id: slot,
    value: randomText(defaultLength, alphabets.unreserved, random),
  }),
  async look(target, known, { providers: { postgres }, signal }) {
    const found = await postgres.roles(target, target.admin, target.roles, signal);
    const accepts: Acceptance[] = [];
    for (const credential of known) {
      if (!target.roles.includes(credential.id)) accepts.push("unknown");
      else if (!found.get(credential.id)?.login) accepts.push("refused");
      else accepts.push((await logsIn(postgres, target, credential, signal)) ? "accepted" : "refused");
    }
    return { exists: target.roles.filter((role) => found.has(role)), accepts };
  },
  async apply(target, { id, value }, { providers: { postgres }, signal }) {
    assertOurs(target, id);
    await postgres.setPassword(target, target.admin, id, value, signal);
  },
  async verify(target, credential, { providers: { postgres }, signal }) {
    assertOurs(target, credential.id);
    if (await logsIn(postgres, target, credential, signal)) return;
    // The server answers alike for a wrong password and a missing role; the administrator may know which it is.
    const found = await postgres.roles(target, target.admin, [credential.id], signal);
    if (!found.has(credential.id)) throw missingRole(target, target.admin, credential.id);
    throw new Fault(
      "credential-rejected",
      `${place(target)} refuses the password of role "${credential.id}"`,
    );
  },
  async revoke(target, credentialId, { providers: { postgres }, signal }) {
    assertOurs(target, credentialId);
    const { admin, endSessions } = target;
    try {
      await postgres.disableRole(target, admin, credentialId, { endSessions }, signal);
    } catch (error) {
      // A role that is gone lets nobody in.
      if (!isFault(error, "target-missing")) throw error;
    }
  },
});

function logsIn(postgres: Postgres, target: Target, credential: Credential, signal: AbortSignal) {
  return postgres.accepts(target, credential.id, credential.value, signal);
}

/** The last guard: whatever led here, only roles of the policy are changed. */
function assertOurs(target: Target, id: string): void {
  if (!target.roles.includes(id))
    throw new Fault("slot-unknown", `the policy names no role "${id}" at ${place(target)}`);
}

function place({ host, port }: Target): string {
  return `${host}:${port}`;
}
