import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import { InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { SecretValue } from "../../src/secret-value.ts";
import { attribute } from "../../src/telemetry/names.ts";
import { exportSafely } from "../../src/telemetry/safe-spans.ts";
import { createScrubber } from "../../src/telemetry/scrubber.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const canary = "Canary-7f3a9b2c5d8e1f4a";

function span(parts: Partial<ReadableSpan>): ReadableSpan {
  const context = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };
  return {
    name: "KeyVault.publish",
    kind: SpanKind.CLIENT,
    spanContext: () => context,
    startTime: [1, 0],
    endTime: [2, 0],
    duration: [1, 0],
    ended: true,
    status: { code: SpanStatusCode.UNSET },
    attributes: {},
    links: [],
    events: [],
    resource: emptyResource(),
    instrumentationScope: { name: "test" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ...parts,
  };
}

function exported(parts: Partial<ReadableSpan>): ReadableSpan {
  const scrubber = createScrubber({ clock: createVirtualClock() });
  scrubber.learn(new SecretValue(canary));
  const memory = new InMemorySpanExporter();
  exportSafely(memory, scrubber).export([span(parts)], () => undefined);
  const [found] = memory.getFinishedSpans();
  if (!found) throw new Error("nothing was exported");
  return found;
}

describe("exportSafely", () => {
  it("keeps every attribute of our own and what is known to be harmless", () => {
    const attributes = {
      ...Object.fromEntries(Object.values(attribute).map((name) => [name, "x"])),
      "http.response.status_code": 200,
      "messaging.message.id": "m1",
      "db.system.name": "postgresql",
      "bullmq.job.id": "7",
      "error.type": "Fault",
    };
    expect(exported({ attributes }).attributes).toEqual(attributes);
  });

  it.each([
    "db.statement",
    "db.query.text",
    "bullmq.job.result",
    "bullmq.job.failed.reason",
    "bullmq.job.options",
    "exception.message",
    "exception.stacktrace",
    "http.request.header.authorization",
    "http.response.header.x",
    "http.target",
    "url.query",
    "user.email",
    "anything",
  ])("drops %s", (name) => {
    expect(exported({ attributes: { [name]: "x" } }).attributes).toEqual({});
  });

  it("keeps only origin and path of an address", () => {
    const attributes = {
      "http.url": "https://user:word@kv.vault.azure.net/secrets/a?x=1#y",
      "url.full": "postgresql://u:p@h/db",
    };
    expect(exported({ attributes }).attributes).toEqual({
      "http.url": "https://kv.vault.azure.net/secrets/a",
      "url.full": "[address]",
    });
  });

  it("takes known values out of names, attributes, lists, events and links", () => {
    const attributes = {
      "keyturn.reason": `why ${canary}`,
      "bullmq.job.ids": [canary, "2"],
      "az.x": { canary },
    };
    const context = span({}).spanContext();
    const safe = exported({
      name: `GET ${canary}`,
      attributes,
      events: [{ time: [1, 0], name: canary, attributes: { ...attributes, "exception.message": canary } }],
      links: [{ context, attributes }],
    });
    expect(JSON.stringify({ ...safe, resource: undefined })).not.toContain(canary);
    expect(safe.attributes["keyturn.reason"]).toBe("why [secret]");
    expect(safe.attributes["bullmq.job.ids"]).toEqual(["[secret]", "2"]);
    expect(safe.events[0]?.attributes).not.toHaveProperty("exception.message");
  });

  it("keeps a status message only if it is one of our codes", () => {
    const code = SpanStatusCode.ERROR;
    expect(exported({ status: { code, message: "forbidden" } }).status.message).toBe("forbidden");
    expect(exported({ status: { code, message: `RestError: ${canary}` } }).status).toEqual({ code });
    expect(exported({ status: { code, message: "toString" } }).status).toEqual({ code });
  });

  it("keeps identity, time and place of a span", () => {
    const parent = { ...span({}).spanContext(), spanId: "3".repeat(16) };
    const safe = exported({ parentSpanContext: parent });
    expect(safe.spanContext()).toEqual(span({}).spanContext());
    expect(safe).toMatchObject({ parentSpanContext: parent, startTime: [1, 0], kind: SpanKind.CLIENT });
    expect(exported({})).not.toHaveProperty("parentSpanContext");
  });
});
