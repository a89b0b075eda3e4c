import { z } from "zod";
import { missingAccount } from "../providers/mysql/faults.ts";
import { defineLogInRotator, HostName, pairOf, Port } from "./database-log-ins.ts";

/** MariaDB allows 80 characters; MySQL stops at 32 and answers for itself. */
const Name = z.string().regex(/^[^\p{Cc}]{1,80}$/u, "1 to 80 characters, none of them a control character");

const Database = z
  .string()
  .regex(/^[^\p{Cc}/\\]{1,64}$/u, "1 to 64 characters, no slash, backslash or control character");

const Target = z
  .strictObject({
    host: HostName,
    port: Port.default(3306),
    database: Database,
    admin: Name,
    users: pairOf(Name, "account"),
    endSessions: z.boolean().default(false),
  })
  .refine(({ users, admin }) => !users.includes(admin), {
    path: ["users"],
    error: "keyturn's own account has no password to rotate",
  });
type Target = z.infer<typeof Target>;

export const mariadbUser = defineLogInRotator<Target>({
  id: "mariadb-user",
  summary: "the password of a MariaDB or MySQL account, or of two accounts that take turns",
  target: Target,
  roles: ["CREATE USER on the server and SELECT (User, Host) on mysql.user, logged in as an Entra identity"],
  noun: "account",
  scheme: "mariadb",
  names: ({ users }) => users,
  logIns: ({ mariadb }) => ({
    ...mariadb,
    async find(address, admin, names, signal) {
      const found = await mariadb.accounts(address, admin, names, signal);
      // A lock cannot be seen without the right to read everybody's hashes; the log-in tells.
      return new Map([...found].map((name) => [name, { login: true }]));
    },
    disable: (...asked) => mariadb.lock(...asked),
    missing: (address, _admin, account) => missingAccount(address, account),
  }),
});
