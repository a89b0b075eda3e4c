import { trace, type Attributes } from "@opentelemetry/api";
import type { FaultCode } from "../errors.ts";
import type { Log } from "../log.ts";
import { attribute } from "./names.ts";

/** Every decision that is acted on, in the words of the protocol. */
export type AuditAction =
  | "intent"
  | "mint"
  | "park"
  | "apply"
  | "verify"
  | "publish"
  | "prove"
  | "restart"
  | "confirm"
  | "revoke"
  | "disable"
  | "roll-back"
  | "hold"
  | "resolve";

/** Who did what to which secret, and how it ended. Ids and words only. */
interface AuditEvent {
  readonly action: AuditAction;
  readonly outcome: "done" | "rejected" | "failed";
  /** `vault/name` */
  readonly secret: string;
  readonly rotation?: string | undefined;
  readonly trigger?: string | undefined;
  readonly mode?: string | undefined;
  readonly request?: string | undefined;
  /** Who asked, as they say themselves; keyturn acts with its own identity. */
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly credential?: string | undefined;
  readonly group?: string | undefined;
  readonly code?: FaultCode | undefined;
}

export type Audit = (event: AuditEvent) => void;

/** One log line (`audit: true`) for those who keep records, and one event on the span of what was done. */
export function createAudit(log: Log): Audit {
  const records = log.child({ audit: true });
  return (event) => {
    records.info(event, "audit");
    trace.getActiveSpan()?.addEvent(`audit ${event.action}`, toAttributes(event));
  };
}

/** Every field has its attribute in names.ts, named after it. */
function toAttributes(event: AuditEvent): Attributes {
  const names = new Map(Object.entries(attribute));
  const named = Object.entries(event).map(([field, value]) => [names.get(field) ?? field, value] as const);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}
