import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Fault } from "../src/errors.ts";
import type { Log } from "../src/log.ts";
import { SecretValue } from "../src/secret-value.ts";
import { createAudit } from "../src/telemetry/audit.ts";
import { reportError } from "../src/error-report.ts";
import { captureLog } from "./support/capture-log.ts";

const canary = "Canary-7f3a9b2c5d8e1f4a";

function lines(write: (log: Log) => void, scrub?: (line: string) => string) {
  const captured = captureLog(scrub);
  write(captured.log);
  return captured.lines();
}

function foreign(): Error {
  return Object.assign(new Error(`the server said\n    at ${canary}`), {
    name: "RestError",
    code: "E1",
    details: canary,
  });
}

describe("log", () => {
  it("writes one JSON line with the fields given", () => {
    const [line] = lines((log) => log.info({ secret: "kv/a" }, "a message"));
    expect(line).toMatchObject({ level: 30, secret: "kv/a", msg: "a message" });
    expect(line).not.toHaveProperty("pid");
  });

  it("tells name, code and place of a foreign error, never its text", () => {
    const [line] = lines((log) => log.error({ err: foreign() }, "went wrong"));
    expect(line?.["err"]).toMatchObject({ name: "RestError", code: "E1" });
    expect(JSON.stringify(line)).toContain("log.test.ts");
    expect(JSON.stringify(line)).not.toContain(canary);
  });

  it("tells the message of our own fault, and of its cause only what is harmless", () => {
    const cause = { name: "RestError", status: 403, code: "Forbidden", body: canary };
    const fault = new Fault("forbidden", "could not read kv/a", { cause, secret: "kv/a" });
    const [line] = lines((log) => log.error(fault));
    expect(line?.["err"]).toMatchObject({
      code: "forbidden",
      message: "could not read kv/a",
      secret: "kv/a",
      cause: { name: "RestError", status: "403", code: "Forbidden" },
    });
    expect(JSON.stringify(line)).not.toContain(canary);
  });

  it.each<readonly [string, (log: Log) => void]>([
    ["as the only argument", (log) => log.error(foreign())],
    ["without a message", (log) => log.error({ err: foreign() })],
    ["with a message of undefined", (log) => log.error({ err: foreign() }, undefined)],
    ["under another name", (log) => log.error({ reason: foreign() }, "x")],
    ["in a list", (log) => log.error({ reasons: [foreign()] }, "x")],
    ["as %s", (log) => log.error("failed: %s", foreign())],
    ["as %o", (log) => log.error("failed: %o", foreign())],
    ["as %j behind fields", (log) => log.error({ a: 1 }, "failed: %j", foreign())],
    ["as a cause", (log) => log.error(new Fault("internal-error", "x", { cause: foreign() }))],
    ["in an aggregate", (log) => log.error(new AggregateError([foreign()], canary))],
    ["as a binding", (log) => log.child({ err: foreign() }).error("x")],
    ["as a value", (log) => log.error({ value: new SecretValue(canary) }, "x")],
  ])("leaks no text of a foreign error given %s", (_, write) => {
    const written = lines(write);
    expect(written).toHaveLength(1);
    expect(JSON.stringify(written)).not.toContain(canary);
  });

  it("passes every line through the scrubber", () => {
    const [line] = lines(
      (log) => log.info({ note: canary }, `text ${canary}`),
      (text) => text.replaceAll(canary, "[secret]"),
    );
    expect(line).toMatchObject({ note: "[secret]", msg: "text [secret]" });
  });
});

describe("reportError", () => {
  it("tells nothing but the kind of what is no error", () => {
    expect(reportError(canary)).toEqual({ name: "string" });
    expect(reportError({ text: canary })).toEqual({ name: "object" });
  });

  it("gives no frames when the message was changed after the throw", () => {
    const error = new Error(`first ${canary}`);
    error.message = "second";
    expect(inspect(reportError(error))).not.toContain(canary);
  });

  it("ends in a circle of causes", () => {
    const error: Error & { cause?: unknown } = new Error("x");
    error.cause = error;
    expect(JSON.stringify(reportError(error)).length).toBeLessThan(20_000);
  });
});

describe("audit", () => {
  it("is one line that says who did what to which secret", () => {
    const written = lines((log) =>
      createAudit(log)({
        action: "publish",
        outcome: "done",
        secret: "kv/a",
        rotation: "r-1",
        from: "v1",
        to: "v2",
        actor: "ann",
      }),
    );
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({
      audit: true,
      msg: "audit",
      action: "publish",
      outcome: "done",
      secret: "kv/a",
      from: "v1",
      to: "v2",
      actor: "ann",
    });
  });
});
