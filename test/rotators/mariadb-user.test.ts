import { expect, test } from "vitest";
import { mariadbUser } from "../../src/rotators/mariadb-user.ts";

const target = {
  host: "orders.mysql.database.azure.com",
  database: "orders",
  admin: "keyturn",
  users: ["orders_a", "orders_b"],
};

test("two accounts overlap and take turns; one does not overlap", () => {
  expect(mariadbUser.on(target)).toMatchObject({ overlap: "dual", slots: ["orders_a", "orders_b"] });
  expect(mariadbUser.on({ ...target, users: ["orders"] })).toMatchObject({
    overlap: "single",
    slots: ["orders"],
  });
});

test("a target owns its accounts at the server, whatever the database", () => {
  for (const each of [target, { ...target, database: "billing", port: 3306 }])
    expect(mariadbUser.on(each).owns).toEqual([
      "mariadb://orders.mysql.database.azure.com:3306/orders_a",
      "mariadb://orders.mysql.database.azure.com:3306/orders_b",
    ]);
});

test.each([
  [{ users: [] }, "users"],
  [{ users: ["a", "b", "c"] }, "users"],
  [{ users: ["a", "a"] }, "must differ"],
  [{ users: ["keyturn"] }, "own account"],
  [{ users: ["a".repeat(81)] }, "80 characters"],
  [{ users: ["a\u0000"] }, "control character"],
  [{ database: "../mysql" }, "slash"],
  [{ host: "Orders.example.org" }, "lower case"],
  [{ port: 0 }, "port"],
  [{ ssl: false }, "ssl"],
])("a target with %j is refused: %s", (change, reason) => {
  expect(() => mariadbUser.on({ ...target, ...change })).toThrow(reason);
});
