import { type Action, type SecretRules, stop } from "../model/action.ts";

/** Whether its credentials have ids that only the provider gives: one without is alive, and cannot be named. */
export function isNamed({ rotator }: SecretRules): boolean {
  return rotator.origin === "minted" && rotator.slots.length === 0;
}

/** Of the target's slots; where there are none, any id that the provider gave. Else an id is only what a tag says. */
export function isKnown(id: string, { rotator }: SecretRules): boolean {
  return rotator.slots.length === 0 ? rotator.origin === "minted" : rotator.slots.includes(id);
}

/** Whether old and new credential live side by side, and each can be told apart and ended alone. */
export function hasTwo({ rotator }: SecretRules): boolean {
  return rotator.overlap === "dual" && (rotator.slots.length > 0 || rotator.origin === "minted");
}

/** One credential that we choose, changed in place: it can be changed back. */
export function isChangedInPlace({ rotator }: Pick<SecretRules, "rotator">): boolean {
  return rotator.overlap === "single" && rotator.origin === "chosen";
}

export function whichOne({ key }: SecretRules): Action {
  return stop(
    "slot-unknown",
    `the old credential of ${key} is still accepted, and the provider does not tell which of its credentials it is; ` +
      `remove it there by hand, or name it: keyturn resolve ${key} --revoke ID`,
  );
}
