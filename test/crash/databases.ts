import { Fault } from "../../src/errors.ts";
import type { MariaDb } from "../../src/providers/mysql/client.ts";
import type { Postgres } from "../../src/providers/postgres/client.ts";
import type { SecretValue } from "../../src/secret-value.ts";

/** Who may log in at a server, and with what. */
interface LogIn {
  enabled: boolean;
  password: string | undefined;
}

export type LogIns = Map<string, LogIn>;

/** A PostgreSQL server as far as its port can tell. */
export function createPostgresInMemory(logIns: LogIns): Postgres {
  return {
    accepts: async (_address, user, password) => accepts(logIns, user, password),
    async roles(_address, _admin, names) {
      const found = names.map((name) => [name, logIns.get(name)] as const);
      return new Map(found.flatMap(([name, role]) => (role ? [[name, { login: role.enabled }]] : [])));
    },
    async setPassword(_address, _admin, role, password) {
      change(logIns, role, { enabled: true, password: password.reveal() });
    },
    async disableRole(_address, _admin, role) {
      change(logIns, role, { enabled: false, password: undefined });
    },
  };
}

/** A MariaDB server as far as its port can tell. That an account is locked shows only at its log-in. */
export function createMariaDbInMemory(logIns: LogIns): MariaDb {
  return {
    accepts: async (_address, user, password) => accepts(logIns, user, password),
    accounts: async (_address, _admin, names) => new Set(names.filter((name) => logIns.has(name))),
    async setPassword(_address, _admin, user, password) {
      change(logIns, user, { enabled: true, password: password.reveal() });
    },
    async lock(_address, _admin, user) {
      change(logIns, user, { enabled: false, password: undefined });
    },
  };
}

function accepts(logIns: LogIns, user: string, password: SecretValue): boolean {
  const logIn = logIns.get(user);
  return logIn !== undefined && logIn.enabled && logIn.password === password.reveal();
}

function change(logIns: LogIns, name: string, to: LogIn): void {
  const logIn = logIns.get(name);
  if (!logIn) throw new Fault("target-missing", `there is no log-in "${name}"`);
  Object.assign(logIn, to);
}
