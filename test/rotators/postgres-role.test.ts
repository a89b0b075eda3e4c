import { expect, test } from "vitest";
import { postgresRole } from "../../src/rotators/postgres-role.ts";

const target = {
  host: "orders.postgres.database.azure.com",
  database: "orders",
  admin: "keyturn",
  roles: ["orders_a", "orders_b"],
};

test("two roles overlap and take turns; one does not overlap", () => {
  expect(postgresRole.on(target)).toMatchObject({ overlap: "dual", slots: ["orders_a", "orders_b"] });
  expect(postgresRole.on({ ...target, roles: ["orders"] })).toMatchObject({
    overlap: "single",
    slots: ["orders"],
  });
});

test("a target owns its roles at the server, whatever the database", () => {
  const [one, other] = [target, { ...target, database: "billing", port: 5432 }].map((each) =>
    postgresRole.on(each),
  );
  expect(one?.owns).toEqual([
    "postgres://orders.postgres.database.azure.com:5432/orders_a",
    "postgres://orders.postgres.database.azure.com:5432/orders_b",
  ]);
  expect(other?.owns).toEqual(one?.owns);
});

test("a template may use user name, host, port and database", () => {
  expect(postgresRole.on(target).fields("orders_b")).toEqual({
    username: "orders_b",
    host: "orders.postgres.database.azure.com",
    port: "5432",
    database: "orders",
  });
});

test.each([
  [{ roles: [] }, "roles"],
  [{ roles: ["a", "b", "c"] }, "roles"],
  [{ roles: ["a", "a"] }, "must differ"],
  [{ roles: ["keyturn"] }, "own role"],
  [{ roles: ["a".repeat(64)] }, "63 bytes"],
  [{ roles: ["ä".repeat(32)] }, "63 bytes"],
  [{ roles: ["a\u0000"] }, "control characters"],
  [{ host: "Orders.example.org" }, "lower case"],
  [{ host: "orders.example.org." }, "host name"],
  [{ host: "user@host" }, "host name"],
  [{ port: 0 }, "port"],
  [{ sslmode: "disable" }, "sslmode"],
])("a target with %j is refused: %s", (change, reason) => {
  expect(() => postgresRole.on({ ...target, ...change })).toThrow(reason);
});
