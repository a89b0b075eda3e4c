import { Fault } from "../errors.ts";
import { findSecret, findVaultById } from "../policy/lookup.ts";
import type { Policy } from "../policy/policy.ts";
import type { Trigger } from "../request.ts";
import type { EventType, VaultEvent } from "./parse-event.ts";

/** What an event asks for, in the policy's own names; or why there is nothing to do. */
export type EventOutcome =
  | {
      readonly enqueue: {
        readonly vault: string;
        readonly name: string;
        readonly version: string;
        readonly trigger: Trigger;
      };
    }
  | { readonly ignore: "own-candidate" | "secret-not-in-policy"; readonly why: string };

const triggers = {
  "Microsoft.KeyVault.SecretNearExpiry": "near-expiry",
  "Microsoft.KeyVault.SecretExpired": "expired",
  "Microsoft.KeyVault.SecretNewVersionCreated": "new-version",
} as const satisfies Record<EventType, Trigger>;

/** Behind the name of the secret in which a candidate is parked. */
const candidateSuffix = "--pending";

/**
 * Pure. The vault is the one that the policy names by exactly this ARM id, never the one that the event's URL names.
 * A vault outside the policy is a fault, since nobody should have subscribed it; a secret outside it is normal.
 */
export function toTrigger(event: VaultEvent, policy: Policy): EventOutcome | Fault {
  const vault = findVaultById(policy, event.vaultId);
  if (!vault)
    return new Fault("unknown-vault", "the policy does not name the vault that the event comes from");
  const secret = findSecret(policy, vault.name, event.name);
  if (secret) {
    const { version, type } = event;
    // What is derived is looked at with the secret it is derived from, which may be in another vault.
    return { enqueue: { vault: secret.vault.name, name: secret.name, version, trigger: triggers[type] } };
  }
  const name = event.name.toLowerCase();
  const parkedFor = name.endsWith(candidateSuffix) ? name.slice(0, -candidateSuffix.length) : undefined;
  if (parkedFor && findSecret(policy, vault.name, parkedFor))
    return { ignore: "own-candidate", why: "the secret holds a candidate of a rotation" };
  return { ignore: "secret-not-in-policy", why: "the policy does not name this secret" };
}
