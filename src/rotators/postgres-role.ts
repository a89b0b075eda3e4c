import { z } from "zod";
import { missingRole } from "../providers/postgres/faults.ts";
import { defineLogInRotator, HostName, pairOf, Port } from "./database-log-ins.ts";

/** PostgreSQL cuts longer names without a word (NAMEDATALEN), so that two of them could be one. */
const Name = z
  .string()
  .regex(/^[^\p{Cc}]+$/u, "a name without control characters")
  .refine((name) => Buffer.byteLength(name) <= 63, "a name has at most 63 bytes");

const Target = z
  .strictObject({
    host: HostName,
    port: Port.default(5432),
    database: Name,
    admin: Name,
    roles: pairOf(Name, "role"),
    endSessions: z.boolean().default(false),
  })
  .refine(({ roles, admin }) => !roles.includes(admin), {
    path: ["roles"],
    error: "keyturn's own role has no password to rotate",
  });
type Target = z.infer<typeof Target>;

export const postgresRole = defineLogInRotator<Target>({
  id: "postgres-role",
  summary: "the password of a PostgreSQL role, or of two roles that take turns",
  target: Target,
  roles: [
    "Microsoft Entra administrator of the server, or CREATEROLE with ADMIN on the roles (PostgreSQL 16)",
  ],
  noun: "role",
  scheme: "postgres",
  names: ({ roles }) => roles,
  logIns: ({ postgres }) => ({
    ...postgres,
    find: (...asked) => postgres.roles(...asked),
    disable: (...asked) => postgres.disableRole(...asked),
    missing: missingRole,
  }),
});
