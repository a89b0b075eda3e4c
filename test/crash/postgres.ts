import { Fault } from "../../src/errors.ts";
import type { Postgres } from "../../src/providers/postgres.ts";

export interface Role {
  login: boolean;
  password: string | undefined;
}

/** A PostgreSQL server as far as its port can tell: roles with a login flag and a password. */
export function createPostgresInMemory(roles: Map<string, Role>): Postgres {
  const find = (name: string) => {
    const role = roles.get(name);
    if (!role) throw new Fault("target-missing", `there is no role "${name}"`);
    return role;
  };
  return {
    async accepts(_address, user, password) {
      const role = roles.get(user);
      return role !== undefined && role.login && role.password === password.reveal();
    },
    async roles(_address, _admin, names) {
      return new Map(
        names.flatMap((name) => {
          const role = roles.get(name);
          return role ? [[name, { login: role.login }] as const] : [];
        }),
      );
    },
    async setPassword(_address, _admin, role, password) {
      Object.assign(find(role), { login: true, password: password.reveal() });
    },
    async disableRole(_address, _admin, role) {
      Object.assign(find(role), { login: false, password: undefined });
    },
  };
}
