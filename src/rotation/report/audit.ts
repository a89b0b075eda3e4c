import type { Log } from "../../log.ts";
import type { Request } from "../../request.ts";
import { type AuditAction, createAudit } from "../../telemetry/audit.ts";
import type { Act } from "../model/action.ts";
import type { Observation } from "../model/observation.ts";

/** Each action in the words of the audit; a repair is an apply that came after the publish. */
const audited: Readonly<Record<Act["kind"], AuditAction>> = {
  "write-intent": "intent",
  park: "park",
  mint: "mint",
  apply: "apply",
  repair: "apply",
  publish: "publish",
  "publish-derived": "publish",
  "settle-pending": "prove",
  "reopen-pending": "prove",
  revoke: "revoke",
  close: "disable",
  disable: "disable",
  waive: "resolve",
  reopen: "revoke",
  "mark-leaked": "intent",
  "set-back": "roll-back",
  restore: "roll-back",
  "drop-intent": "resolve",
};

export interface Step {
  readonly action: Act;
  /** `vault/name` of the secret that was written to. */
  readonly subject: string;
  readonly rotation: string;
  readonly facts: Observation;
  readonly cause: Cause;
}

/** Who asked, and why. */
export type Cause = Pick<Request, "trigger" | "mode" | "requestId"> & {
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
};

/** Who asked, what changed, which versions: ids only. */
export function recordStep(log: Log, { action, subject, rotation, facts, cause }: Step): void {
  const latest = facts.latest.kind === "readable" ? facts.latest : undefined;
  createAudit(log)({
    action: audited[action.kind],
    outcome: "done",
    secret: subject,
    rotation,
    trigger: cause.trigger,
    mode: cause.mode,
    request: cause.requestId,
    actor: cause.actor,
    reason: cause.reason,
    from: latest?.record.from,
    to: latest?.version,
    credential: latest?.credentialId,
  });
  const { between = [] } = latest ?? {};
  if (action.kind !== "close" || between.length === 0) return;
  // It was never in use, and who it was should know.
  const told = { secret: subject, code: "foreign-version", versions: between, latest: latest?.version };
  log.warn(told, "somebody stored versions right before keyturn published; what they hold is not in use");
}
