import { z } from "zod";
import { Fault } from "../errors.ts";

/** An environment as `src/config.ts` hands it over. Empty variables count as unset, as OpenTelemetry wants it. */
export type TelemetryEnvironment = Readonly<Record<string, string | undefined>>;

const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

const address = z.url({ protocol: /^https?$/ });
const milliseconds = z.coerce.number().int().positive();

/** What is read of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
const Variables = z.object({
  OTEL_SDK_DISABLED: z.enum(["true", "false"]).default("false"),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_RESOURCE_ATTRIBUTES: z.string().optional(),
  OTEL_TRACES_EXPORTER: z.enum(["otlp", "console", "none"]).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: address.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: address.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.enum(["http/json", "http/protobuf"]).optional(),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: z.enum(["http/json", "http/protobuf"]).optional(),
  OTEL_TRACES_SAMPLER: z.enum(samplers).default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  OTEL_BSP_SCHEDULE_DELAY: milliseconds.optional(),
  OTEL_BSP_EXPORT_TIMEOUT: milliseconds.optional(),
});

export interface TelemetrySettings {
  readonly disabled: boolean;
  readonly resource: Readonly<Record<string, string>>;
  readonly exporter: "otlp" | "console" | "none";
  /** Where spans go; absent: OpenTelemetry's default, a collector on this host. */
  readonly url: string | undefined;
  readonly sampler: (typeof samplers)[number];
  /** Share of traces that are kept, for the `traceidratio` samplers. */
  readonly ratio: number;
  /** Milliseconds. */
  readonly scheduleDelay: number | undefined;
  /** Milliseconds. */
  readonly exportTimeout: number | undefined;
}

/** @throws Fault `invalid-config` with the names of the variables that cannot be used, never their values */
export function readTelemetrySettings(environment: TelemetryEnvironment): TelemetrySettings {
  const given = Object.entries(environment).filter(([, value]) => value !== undefined && value !== "");
  const read = Variables.safeParse(Object.fromEntries(given));
  if (!read.success) throw new Fault("invalid-config", `cannot use ${problems(read.error)}`);
  const otel = read.data;
  const url = otel.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? tracesUnder(otel.OTEL_EXPORTER_OTLP_ENDPOINT);
  return {
    disabled: otel.OTEL_SDK_DISABLED === "true",
    resource: {
      "service.name": "keyturn",
      ...parsePairs(otel.OTEL_RESOURCE_ATTRIBUTES),
      ...(otel.OTEL_SERVICE_NAME && { "service.name": otel.OTEL_SERVICE_NAME }),
    },
    exporter: otel.OTEL_TRACES_EXPORTER ?? (url ? "otlp" : "none"),
    url,
    sampler: otel.OTEL_TRACES_SAMPLER,
    ratio: otel.OTEL_TRACES_SAMPLER_ARG,
    scheduleDelay: otel.OTEL_BSP_SCHEDULE_DELAY,
    exportTimeout: otel.OTEL_BSP_EXPORT_TIMEOUT,
  };
}

function problems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".")} (${issue.code})`).join(", ");
}

function tracesUnder(endpoint: string | undefined): string | undefined {
  return endpoint && `${endpoint.replace(/\/+$/, "")}/v1/traces`;
}

/** `a=1,b=x%20y`. What is no pair is left out, as OpenTelemetry does. */
function parsePairs(text: string | undefined): Record<string, string> {
  const pairs = (text ?? "").split(",").map((pair) => /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair));
  return Object.fromEntries(pairs.flatMap((pair) => (pair?.[1] ? [[pair[1], decode(pair[2] ?? "")]] : [])));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
