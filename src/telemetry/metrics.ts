import type { Attributes, Meter } from "@opentelemetry/api";
import type { Clock, Millis, Timestamp } from "../clock.ts";
import type { FaultCode } from "../errors.ts";
import { attribute, metric } from "./names.ts";

/** How something ended; a fault tells its code. */
interface Ending {
  readonly outcome: "done" | "requeued" | "retried" | "failed" | "rolled-back" | "rejected";
  readonly code?: FaultCode;
}

/** What the gauges tell of a secret; the last word about it counts. */
interface SecretGauge {
  readonly expiresAt?: Timestamp | undefined;
  /** Since when a rotation of it is open. */
  readonly openSince?: Timestamp | undefined;
}

export interface Metrics {
  rotationEnded(rotator: string, ending: Ending, duration: Millis): void;
  jobEnded(stage: string, ending: Ending, duration: Millis): void;
  restartEnded(ending: Ending): void;
  /** `outcome`: `queued`, `ignored`, `abandoned`, or the code it was dead-lettered with. */
  messageSettled(outcome: string): void;
  /** How long the old credential was still accepted after the new one was published. */
  oldCredentialRetired(rotator: string, alive: Millis): void;
  /** `key`: `vault/name`. */
  secretSeen(key: string, gauge: SecretGauge): void;
  /** Drops the gauges of secrets that are not in the policy any more. */
  keepOnly(keys: ReadonlySet<string>): void;
}

/** From a second to two days: a rotation lasts as long as its overlap. In seconds, as OpenTelemetry counts time. */
const durations = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800];
const seconds = { unit: "s", advice: { explicitBucketBoundaries: durations } };

export function createMetrics(meter: Meter, clock: Clock): Metrics {
  const rotations = meter.createCounter(metric.rotations, { description: "Rotations that ended" });
  const rotationDuration = meter.createHistogram(metric.rotationDuration, seconds);
  const jobs = meter.createCounter(metric.jobs, { description: "Runs of jobs that ended" });
  const jobDuration = meter.createHistogram(metric.jobDuration, seconds);
  const restarts = meter.createCounter(metric.restarts, { description: "Restarts of container groups" });
  const messages = meter.createCounter(metric.messages, { description: "Messages settled by intake" });
  const oldCredential = meter.createHistogram(metric.oldCredential, seconds);
  const secrets = observeSecrets(meter, clock);

  return {
    rotationEnded(rotator, ending, duration) {
      const labels = { [attribute.rotator]: rotator, ...toLabels(ending) };
      rotations.add(1, labels);
      rotationDuration.record(duration / 1000, labels);
    },
    jobEnded(stage, ending, duration) {
      const labels = { [attribute.stage]: stage, ...toLabels(ending) };
      jobs.add(1, labels);
      jobDuration.record(duration / 1000, labels);
    },
    restartEnded: (ending) => restarts.add(1, toLabels(ending)),
    messageSettled: (outcome) => messages.add(1, { [attribute.outcome]: outcome }),
    oldCredentialRetired: (rotator, alive) =>
      oldCredential.record(alive / 1000, { [attribute.rotator]: rotator }),
    secretSeen: (key, gauge) => void secrets.set(key, gauge),
    keepOnly(keys) {
      for (const key of secrets.keys()) if (!keys.has(key)) secrets.delete(key);
    },
  };
}

/** The gauges are computed when somebody asks: days to expiry go down without any event. */
function observeSecrets(meter: Meter, clock: Clock): Map<string, SecretGauge> {
  const secrets = new Map<string, SecretGauge>();
  const expiry = meter.createObservableGauge(metric.expiry, {
    unit: "d",
    description: "Days until the latest version of a secret expires; negative once it has",
  });
  expiry.addCallback((result) => {
    for (const [key, { expiresAt }] of secrets)
      if (expiresAt !== undefined)
        result.observe((expiresAt - clock.now()) / 86_400_000, { [attribute.secret]: key });
  });
  const open = meter.createObservableGauge(metric.openRotations, { description: "Rotations that are open" });
  open.addCallback((result) => {
    result.observe([...secrets.values()].filter(({ openSince }) => openSince !== undefined).length);
  });
  return secrets;
}

function toLabels({ outcome, code }: Ending): Attributes {
  return { [attribute.outcome]: outcome, ...(code && { [attribute.code]: code }) };
}
