import { describe, expect, it } from "vitest";
import { readTelemetrySettings } from "../../src/telemetry/settings.ts";

describe("telemetry settings", () => {
  it("export nothing by default", () => {
    expect(readTelemetrySettings({})).toMatchObject({
      disabled: false,
      exporter: "none",
      url: undefined,
      sampler: "parentbased_always_on",
      resource: { "service.name": "keyturn" },
    });
  });

  it("export to a collector as soon as its address is given", () => {
    const read = readTelemetrySettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" });
    expect(read).toMatchObject({ exporter: "otlp", url: "http://collector:4318/v1/traces" });
  });

  it("take the address for traces as it is, and prefer it", () => {
    const read = readTelemetrySettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://all:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces/in",
    });
    expect(read.url).toBe("https://traces/in");
  });

  it("let the exporter be chosen against the address", () => {
    const read = readTelemetrySettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
      OTEL_TRACES_EXPORTER: "none",
    });
    expect(read.exporter).toBe("none");
  });

  it("describe the service; its name has a variable of its own that wins", () => {
    const read = readTelemetrySettings({
      OTEL_RESOURCE_ATTRIBUTES: "service.name=a, deployment.environment=pro%20d,broken,=x,bad=%zz",
      OTEL_SERVICE_NAME: "b",
    });
    expect(read.resource).toEqual({
      "service.name": "b",
      "deployment.environment": "pro d",
      bad: "%zz",
    });
  });

  it("count an empty variable as unset", () => {
    const empty = { OTEL_TRACES_EXPORTER: "", OTEL_SDK_DISABLED: "", OTEL_EXPORTER_OTLP_ENDPOINT: "" };
    expect(readTelemetrySettings(empty)).toEqual(readTelemetrySettings({}));
  });

  it("read the sampler and its share", () => {
    const read = readTelemetrySettings({
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    });
    expect(read).toMatchObject({ sampler: "traceidratio", ratio: 0.25 });
  });

  it.each([
    { OTEL_TRACES_EXPORTER: "zipkin" },
    { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
    { OTEL_TRACES_SAMPLER: "sometimes" },
    { OTEL_TRACES_SAMPLER_ARG: "2" },
    { OTEL_SDK_DISABLED: "maybe" },
  ])("refuse %o by the variable's name, without its value", (environment) => {
    const [[name, value] = ["", ""]] = Object.entries(environment);
    expect(() => readTelemetrySettings(environment)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(name) }),
    );
    expect(() => readTelemetrySettings(environment)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(value) }),
    );
  });
});
