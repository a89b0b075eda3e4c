import { createPostgresInMemory, type Role } from "../postgres.ts";
import type { Scenario } from "./scenario.ts";

export function postgresRole(overlap: "dual" | "single"): Scenario {
  const roles = overlap === "dual" ? ["orders_a", "orders_b"] : ["orders_a"];
  const host = "orders.postgres.database.azure.com";
  const textOf = (role: string, password: string) =>
    `postgresql://${role}:${encodeURIComponent(password)}@${host}:5432/orders`;
  return {
    name: `postgres-role ${overlap}`,
    overlap,
    origin: "chosen",
    secret: {
      rotator: "postgres-role",
      target: { host, database: "orders", admin: "keyturn", roles },
      value: "postgresql://{username}:{password:url}@{host}:{port}/{database}",
    },
    install() {
      const server = new Map<string, Role>(
        roles.map((name) => [name, { login: false, password: undefined }]),
      );
      server.set("orders_a", { login: true, password: "first" });
      const live = () =>
        new Set(
          [...server].flatMap(([name, { login, password }]) =>
            login && password !== undefined ? [textOf(name, password)] : [],
          ),
        );
      return {
        first: textOf("orders_a", "first"),
        live,
        connect: (link) => ({ postgres: link.port("postgres", createPostgresInMemory(server)) }),
        changeByHand(text) {
          const role = roles.find((name) => text.includes(`//${name}:`)) ?? "orders_a";
          const password = `by-hand-${server.get(role)?.password?.length ?? 0}`;
          server.set(role, { login: true, password });
          return textOf(role, password);
        },
      };
    },
  };
}
