import { DatabaseError } from "pg";
import { expect, test } from "vitest";
import { Fault } from "../../../src/errors.ts";
import { isRejection, postgresFault } from "../../../src/providers/postgres/faults.ts";

const attempt = {
  address: { host: "db.example.org", port: 5432, database: "orders" },
  user: "keyturn",
  principal: "orders_a",
  needs: "GRANT something;",
};

test.each([
  ["28P01", "unauthenticated"],
  ["28000", "unauthenticated"],
  ["42704", "target-missing"],
  ["3D000", "target-missing"],
  ["42501", "forbidden"],
  ["25006", "unavailable"],
  ["XX000", "unavailable"],
  ["08006", "unavailable"],
  ["40001", "unavailable"],
  ["53300", "unavailable"],
  ["55P03", "unavailable"],
  ["57014", "unavailable"],
  ["57P03", "unavailable"],
  ["42601", "unexpected-response"],
])("SQLSTATE %s is %s, without the server's text", (sqlState, code) => {
  const fault = postgresFault(serverError(sqlState), attempt);
  expect(fault.code).toBe(code);
  expect(`${fault.message} ${String(fault.cause)}`).not.toContain("canary");
  expect(fault.message).toContain("db.example.org:5432");
});

test.each([
  ["ECONNREFUSED", "unavailable"],
  ["ENOTFOUND", "unavailable"],
  ["ECONNRESET", "unavailable"],
  ["CERT_HAS_EXPIRED", "unexpected-response"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "unexpected-response"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "unexpected-response"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unexpected-response"],
])("the connection error %s is %s", (code, expected) => {
  const fault = postgresFault(Object.assign(new Error("canary"), { code }), attempt);
  expect(fault.code).toBe(expected);
  expect(fault.message).toContain(code);
  expect(fault.message).not.toContain("canary");
});

test("a wrong password is a refusal; a closed firewall says nothing about the password", () => {
  expect(isRejection(serverError("28P01", "auth_failed"))).toBe(true);
  expect(isRejection(serverError("28000", "InitializeSessionUserId"))).toBe(true);
  expect(isRejection(serverError("28000", "ClientAuthentication"))).toBe(false);
  expect(isRejection(serverError("53300"))).toBe(false);
  expect(isRejection(new Error("28P01"))).toBe(false);
  const closed = postgresFault(serverError("28000", "ClientAuthentication"), attempt);
  expect(closed.message).toContain("firewall");
});

test("names in the SQL of a message are quoted", () => {
  const fault = postgresFault(serverError("42704"), { ...attempt, principal: 'a"; DROP ROLE x; --' });
  expect(fault.message).toContain('CREATE ROLE "a""; DROP ROLE x; --" LOGIN');
  const refused = postgresFault(serverError("28P01"), { ...attempt, user: "o'neil" });
  expect(refused.message).toContain("pgaadauth_create_principal('o''neil', false, false)");
});

test("a fault stays what it is", () => {
  const fault = new Fault("cancelled", "stopped");
  expect(postgresFault(fault, attempt)).toBe(fault);
});

function serverError(code: string, routine = "somewhere"): DatabaseError {
  return Object.assign(new DatabaseError("canary in the server's text", 0, "error"), { code, routine });
}
