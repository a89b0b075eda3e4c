import type { Timestamp } from "../../clock.ts";
import type { FaultCode } from "../../errors.ts";
import type { Action } from "../model/action.ts";

type Of<K extends Action["kind"]> = Extract<Action, { kind: K }>;
type Description = readonly [step: string, text: string, fields?: Pick<Described, "until" | "code">];

const descriptions: { readonly [K in Action["kind"]]: (action: Of<K>) => Description } = {
  observe: ({ what }) => ["observing", `observing the ${what}`],
  "write-intent": ({ mode }) => ["intent", `intent recorded (${mode})`],
  park: ({ slot }) => ["parked", `candidate parked${slot ? ` for '${slot}'` : ""}`],
  mint: ({ slot }) => ["minted", `new credential minted${slot ? ` in '${slot}'` : ""} and parked`],
  apply: () => ["applied", "candidate set at the provider"],
  publish: () => ["published", "candidate proven and published as the latest version"],
  "reopen-pending": () => [
    "reopened",
    "the provider refuses the latest version; reading the candidate again",
  ],
  repair: () => ["repaired", "provider set to the published value again"],
  "settle-pending": () => ["proven", "published version proven; parked copy disabled"],
  "publish-derived": ({ derived }) => ["derived", `${derived} built from the latest version and published`],
  roll: ({ groups }) => ["rolling", `${groups.length} container group(s) still to be confirmed`],
  revoke: ({ credentialId }) => ["revoked", `old credential '${credentialId}' revoked`],
  close: () => ["retired", "old version disabled; rotation closed"],
  reopen: ({ version }) => ["reopened", `version ${version} enabled until its credential is revoked`],
  "mark-leaked": () => ["leaked", "recorded that the replaced value is leaked; it retires without overlap"],
  disable: ({ version }) => ["disabled", `version ${version}, which somebody else has replaced, is disabled`],
  waive: ({ group }) => ["waived", `${group} is not waited for: a person has confirmed it`],
  "set-back": ({ to }) => [
    "set-back",
    `provider set back to the ${to === "latest" ? "published" : "replaced"} value`,
  ],
  restore: () => ["restored", "rolled back: the replaced value is published again"],
  "drop-intent": () => ["abandoned", "the request was taken back; its candidate is disabled"],
  wait: ({ reason, until }) => [
    reason === "overlap" ? "overlap" : "waiting",
    waits[reason](iso(until)),
    { until },
  ],
  idle: (action) => ["done", idleText(action)],
  stop: ({ question, code }) => ["needs-human", question, { code }],
};

const waits: { readonly [R in Of<"wait">["reason"]]: (until: string) => string } = {
  provider: () => "the provider cannot be asked at the moment",
  propagation: () => "the provider does not show the change yet",
  agreement: () => "another worker acts by another policy; nothing is retired meanwhile",
  down: () => "container groups that read it are not up; nothing is begun until they are",
  overlap: (until) => `all dependents confirmed; old credential retires at ${until}`,
  slot: (until) => `the other credential was in use a moment ago; it is replaced at ${until}`,
};

/** What is reported of an action. Ids and times only. */
export interface Described {
  /** A short word. */
  readonly step: string;
  /** A sentence for a person; nothing reads facts out of it. */
  readonly text: string;
  /** When the next step is due, where it waits for a time. */
  readonly until?: Timestamp;
  /** Of what a person is asked. */
  readonly code?: FaultCode;
}

/** For progress lines and `status`. */
export function describeAction<K extends Action["kind"]>(action: Of<K>): Described {
  const kind: K = action.kind;
  const [step, text, fields] = descriptions[kind](action);
  return { step, text, ...fields };
}

function idleText({ reason, until, by }: Of<"idle">): string {
  if (reason === "not-before") return `held after a roll-back; automatic rotation waits until ${iso(until)}`;
  if (reason === "superseded")
    return `a newer version is there already, ${by ? `by rotation ${by}` : "stored by somebody else"}; nothing to do`;
  if (reason === "not-asked") return "nothing to do; what is due waits for its own event, or the sweep";
  return `nothing to do until ${iso(until)}`;
}

function iso(at: number): string {
  // A year beyond what dates can hold comes from an expiry somebody set absurdly far away.
  return Math.abs(at) > 8.64e15 ? "the end of time" : new Date(at).toISOString();
}
