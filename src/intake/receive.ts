import { SpanKind, type Span } from "@opentelemetry/api";
import type { HandleMessage, ReceivedMessage } from "../azure/service-bus/message-source.ts";
import type { Clock, Millis } from "../clock.ts";
import { Fault, type FaultCode, toFault } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/policy.ts";
import type { Enqueue } from "../queue/contracts.ts";
import { attribute } from "../telemetry/names.ts";
import { inSpan, markFailed } from "../telemetry/span.ts";
import { enqueuePatiently } from "./enqueue-patiently.ts";
import { parseEvents, type VaultEvent } from "./parse-event.ts";
import { toTrigger } from "./to-trigger.ts";

/** How a message ended. `unsettled`: it stays locked and comes back when its lock ends. */
export type MessageOutcome = "enqueued" | "ignored" | "dead-lettered" | "abandoned" | "unsettled";

export interface Intake {
  readonly policy: Policy;
  readonly enqueue: Enqueue;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once per message: for a counter. */
  readonly onOutcome?: (outcome: MessageOutcome, code?: FaultCode) => void;
  /** Milliseconds between tries while the queue cannot take a job; doubles up to 30 s. Default 250. */
  readonly firstWait?: Millis;
}

/** What is to become of the message once all that it asks for is in the queue. */
interface Decision {
  readonly outcome: MessageOutcome;
  readonly fault?: Fault;
}

/**
 * Turns messages into `rotate-secret` jobs. A message is completed only after every job it asks for is acknowledged. It
 * never throws: what cannot be used is dead-lettered with a reason code, and an event that asks for nothing is completed.
 */
export function createIntake(intake: Intake): HandleMessage {
  return (message, signal) =>
    inSpan(
      "receive",
      {},
      async (span) => {
        const decision = await decide(intake, message, span, signal);
        const settled = await settle(intake, message, decision);
        describe(span, settled);
        intake.onOutcome?.(settled.outcome, settled.fault?.code);
      },
      { kind: SpanKind.CONSUMER },
    );
}

async function decide(
  intake: Intake,
  message: ReceivedMessage,
  span: Span,
  signal: AbortSignal,
): Promise<Decision> {
  try {
    const faults: Fault[] = [];
    let enqueued = false;
    for (const event of parseEvents(message.body, intake.policy.vaults)) {
      const taken = event instanceof Fault ? event : await take(intake, event, span, signal);
      if (taken instanceof Fault) faults.push(taken);
      else enqueued ||= taken;
    }
    const [fault] = faults;
    if (fault) return { outcome: "dead-lettered", fault };
    return { outcome: enqueued ? "enqueued" : "ignored" };
  } catch (error) {
    const fault = toFault(error);
    // Given back now it would go to one of our own links that are about to close, and wait there for nothing.
    if (fault.code === "cancelled") return { outcome: "unsettled", fault };
    return { outcome: fault.kind === "retriable" ? "abandoned" : "dead-lettered", fault };
  }
}

/** Whether a job was queued; a fault if the event cannot be used. */
async function take(
  intake: Intake,
  event: VaultEvent,
  span: Span,
  signal: AbortSignal,
): Promise<boolean | Fault> {
  const { policy, log } = intake;
  span.updateName(`receive ${event.type}`);
  span.setAttribute(attribute.event, event.id);
  const outcome = toTrigger(event, policy);
  if (outcome instanceof Fault) return outcome;
  if ("ignore" in outcome) {
    log.info({ event: event.id, code: outcome.ignore, why: outcome.why }, "event ignored");
    return false;
  }
  const { vault, name, version, trigger } = outcome.enqueue;
  span.setAttributes({
    [attribute.secret]: `${vault}/${name}`,
    [attribute.version]: version,
    [attribute.trigger]: trigger,
    [attribute.request]: event.id,
  });
  const data = { vault, name, version, trigger, mode: "routine", requestId: event.id } as const;
  const dedupe = `${vault}/${name}/${trigger === "new-version" ? "new-version" : "expiry"}`.toLowerCase();
  const jobId = await enqueuePatiently(
    intake,
    () => intake.enqueue("rotate-secret", data, { dedupe }),
    signal,
  );
  log.info({ event: event.id, secret: `${vault}/${name}`, trigger, jobId }, "rotation queued");
  return true;
}

async function settle(intake: Intake, message: ReceivedMessage, decision: Decision): Promise<Decision> {
  const { outcome, fault } = decision;
  const { id, deliveryCount } = message;
  const fields = { message: id.slice(0, 128), deliveryCount, code: fault?.code, why: fault?.message };
  try {
    if (outcome === "abandoned") await message.abandon();
    else if (outcome === "dead-lettered" && fault) await message.deadLetter(fault.code, fault.message);
    else if (outcome !== "unsettled") await message.complete();
  } catch (error) {
    const lost = toFault(error);
    const why = { ...fields, code: lost.code, why: lost.message };
    intake.log.warn(why, "message not settled; it comes back when its lock ends");
    return { outcome: "unsettled", fault: lost };
  }
  if (fault) intake.log.warn({ ...fields, outcome }, "message not served");
  return decision;
}

function describe(span: Span, { outcome, fault }: Decision): void {
  span.setAttribute(attribute.outcome, outcome);
  if (!fault) return;
  span.setAttribute(attribute.code, fault.code);
  markFailed(span, fault.code);
}
