import type { Action } from "./next-action.ts";

/** A word and a sentence about an action, for progress lines and `status`. Ids and times only. */
export function describeAction(action: Action): { step: string; text: string } {
  switch (action.kind) {
    case "look":
      return { step: "looking", text: `looking at the ${action.at}` };
    case "write-intent":
      return { step: "intent", text: `intent recorded (${action.mode})` };
    case "park":
      return { step: "parked", text: `candidate parked${action.slot ? ` for '${action.slot}'` : ""}` };
    case "mint":
      return {
        step: "minted",
        text: `new credential minted${action.slot ? ` in '${action.slot}'` : ""} and parked`,
      };
    case "apply":
      return { step: "applied", text: "candidate set at the provider" };
    case "publish":
      return { step: "published", text: "candidate proven and published as the latest version" };
    case "reopen-pending":
      return {
        step: "reopened",
        text: "the provider refuses the latest version; reading the candidate again",
      };
    case "repair":
      return { step: "repaired", text: "provider set to the published value again" };
    case "settle-pending":
      return { step: "proven", text: "published version proven; parked copy disabled" };
    case "roll":
      return { step: "rolling", text: `${action.groups.length} container group(s) still to be confirmed` };
    case "revoke":
      return { step: "revoked", text: `old credential '${action.credentialId}' revoked` };
    case "close":
      return { step: "retired", text: "old version disabled; rotation closed" };
    case "wait":
      return action.reason === "overlap"
        ? {
            step: "overlap",
            text: `all dependents confirmed; old credential retires at ${iso(action.until)}`,
          }
        : { step: "waiting", text: "the provider cannot be asked at the moment" };
    case "idle":
      return { step: "done", text: idleText(action) };
    case "stop":
      return { step: "needs-human", text: action.question };
    default:
      return action satisfies never;
  }
}

function idleText({ reason, until }: Extract<Action, { kind: "idle" }>): string {
  if (reason === "superseded") return "a newer version is there already; nothing to do";
  if (reason === "not-asked") return "nothing to do; what is due waits for its own event, or the sweep";
  return `nothing to do until ${iso(until)}`;
}

function iso(at: number): string {
  // A year beyond what dates can hold comes from an expiry somebody set absurdly far away.
  return Math.abs(at) > 8.64e15 ? "the end of time" : new Date(at).toISOString();
}
