import { SqlError } from "mariadb";
import { expect, test } from "vitest";
import { Fault } from "../../../src/errors.ts";
import {
  alterRight,
  isRejection,
  mariaDbFault,
  missingAccount,
} from "../../../src/providers/mysql/faults.ts";

const attempt = {
  address: { host: "db.example.org", port: 3306, database: "orders" },
  user: "keyturn",
  principal: "orders_a",
  needs: "GRANT something;",
};

function serverError(errno: number): Error {
  return new SqlError("canary", "ALTER USER 'canary'", false, undefined, "HY000", errno);
}

test.each([
  [1045, "unauthenticated"],
  [1698, "unauthenticated"],
  [1862, "unauthenticated"],
  [3118, "unauthenticated"],
  [4151, "unauthenticated"],
  [1130, "unauthenticated"],
  [1049, "target-missing"],
  [1396, "target-missing"],
  [1044, "forbidden"],
  [1143, "forbidden"],
  [1227, "forbidden"],
  [1524, "not-supported"],
  [1040, "unavailable"],
  [1205, "unavailable"],
  [1290, "unavailable"],
  [45_009, "unavailable"],
  [1064, "unexpected-response"],
])("error %s is %s, without the server's text and the statement", (errno, code) => {
  const fault = mariaDbFault(serverError(errno), attempt);
  expect(fault.code).toBe(code);
  expect(`${fault.message} ${String(fault.cause)}`).not.toContain("canary");
  expect(fault.message).toContain("db.example.org:3306");
});

test("wrong passwords, locks and expired passwords are refusals; a closed firewall says nothing about the password", () => {
  for (const errno of [1045, 1698, 1862, 3118, 4151]) expect(isRejection(serverError(errno))).toBe(true);
  for (const errno of [1130, 9000, 1040, 1044]) expect(isRejection(serverError(errno))).toBe(false);
  expect(isRejection(new Error("1045"))).toBe(false);
  expect(mariaDbFault(serverError(1130), attempt).message).toContain("firewall");
});

test("names in the SQL of a message are quoted", () => {
  expect(missingAccount(attempt.address, "it's\\").message).toContain("'it''s\\\\'@'%'");
  expect(alterRight("it's", true)).toContain("GRANT PROCESS, CONNECTION_ADMIN ON *.* TO 'it''s';");
});

test("a fault stays what it is", () => {
  const fault = new Fault("cancelled", "stopped");
  expect(mariaDbFault(fault, attempt)).toBe(fault);
});
