/**
 * Why somebody should observe a secret. `nudge` is our own reminder; `confirmed` comes from the roller when a secret's
 * dependents are all on the new version, `roll-failed` from a restart after which a container group did not come back.
 */
export const triggers = [
  "near-expiry",
  "expired",
  "new-version",
  "manual",
  "sweep",
  "nudge",
  "confirmed",
  "roll-failed",
] as const;
export type Trigger = (typeof triggers)[number];

/** What is asked for. The last four answer a rotation that has asked something. */
export const requestModes = ["routine", "compromised", "retry", "abandon", "confirm", "revoke"] as const;
export type RequestMode = (typeof requestModes)[number];

/** What a job asks of one secret. */
export interface Request {
  readonly trigger: Trigger;
  readonly mode: RequestMode;
  /** Of `confirm`: a container group's id. Of `revoke`: a credential's. */
  readonly subject?: string | undefined;
  readonly requestId: string;
  /** The version the event named or the requester saw. */
  readonly version?: string | undefined;
}
