/** A fault to play: the first matching rule with `times` left is applied. See `PUT /faults`. */
export interface FaultRule {
  readonly id: string;
  readonly service:
    | "identity"
    | "authority"
    | "graph"
    | "key-vault"
    | "data-plane"
    | "resource-manager"
    | "service-bus"
    | "postgres-login"
    | "event-grid";
  /** Regular expression over `METHOD /path` (HTTP) or `operation entity` (AMQP: `attach|transfer|complete|... queue`). */
  readonly match: string;
  /** `before`: nothing happens; `after`: it happened, and the answer is replaced; `lost`: it happened, the connection is cut. */
  readonly position: "before" | "after" | "lost";
  /** HTTP status of the answer; absent with `before`: the connection is cut. */
  readonly status?: number;
  /** Seconds. */
  readonly retryAfter?: number;
  /** Milliseconds to wait first. */
  readonly delay?: number;
  readonly code?: string;
  /** Text of the answer; some services have one code for many things. */
  readonly message?: string;
  /** How often it still applies; -1 = until removed. */
  times: number;
}

export interface CallRecord {
  readonly at: number;
  readonly service: FaultRule["service"];
  /** `METHOD /path` without query, or the AMQP operation and entity. */
  readonly call: string;
  readonly status: number;
  readonly principalId: string | undefined;
}
