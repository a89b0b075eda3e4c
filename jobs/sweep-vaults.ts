import { randomUUID } from "node:crypto";
import { attemptEach, retriableOf } from "../src/attempt-each.ts";
import type { SecretListing, Vaults } from "../src/azure/key-vault.ts";
import type { Clock } from "../src/clock.ts";
import type { Log } from "../src/log.ts";
import type { Policy, SecretPolicy } from "../src/policy/policy.ts";
import { type JobDefinition, SweepVaults } from "../src/queue/contracts.ts";
import { dueAt } from "../src/rotation/model/due.ts";
import { readRecord } from "../src/rotation/record/tags.ts";
import { inSpan } from "../src/telemetry/span.ts";
import { queueRotate } from "./rotate-secret.ts";

export interface SweepVaultsPorts {
  readonly policy: Policy;
  readonly vaults: Vaults;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The safety net: lists the vaults and queues a look at every secret that is due, open or odd. Events only make it
 * faster; a lost event, a flushed Redis or a missed reminder is found here. A deep sweep looks at every secret.
 */
export function createSweepVaults(ports: SweepVaultsPorts): JobDefinition<"sweep-vaults"> {
  return {
    stage: "sweep-vaults",
    data: SweepVaults,
    attempts: 3,
    run: ({ deep }, { enqueue, signal }) =>
      inSpan("sweep vaults", {}, async () => {
        const { attempt, faults } = attemptEach(ports.log, signal);
        const looks = new Set<string>();
        const look = async (secret: SecretPolicy) => {
          if (looks.has(secret.key)) return;
          looks.add(secret.key);
          await queueRotate(enqueue, secret, { trigger: "sweep", requestId: randomUUID() });
        };
        for (const vault of ports.vaults.keys())
          await attempt({ vault }, () => sweep(vault, { deep, look, signal }, ports));
        const fault = retriableOf(faults) ?? faults[0];
        if (fault) throw fault;
        return { done: `${looks.size} to look at` };
      }),
  };
}

interface Sweep {
  readonly deep: boolean;
  readonly signal: AbortSignal;
  readonly look: (secret: SecretPolicy) => Promise<void>;
}

async function sweep(name: string, { deep, look, signal }: Sweep, ports: SweepVaultsPorts): Promise<void> {
  const mine = secretsOf(ports.policy, name);
  for await (const listing of ports.vaults.get(name)?.list(signal) ?? []) {
    const secret = mine.get(listing.name.toLowerCase());
    if (!secret) continue;
    mine.delete(listing.name.toLowerCase());
    if (deep || wantsLook(listing, secret, ports.clock.now())) await look(secret);
  }
  for (const [missing, secret] of mine) {
    const isDerived = missing !== secret.name.toLowerCase() || name !== secret.vault.name;
    // A derived one is made from its parent.
    if (isDerived && !isMissing(secret, name, mine)) await look(secret);
    else if (!isDerived) reportMissing(ports.log, secret);
  }
}

/** By the names in this vault: the secrets to look at, for those that are derived from them as well. */
function secretsOf(policy: Policy, vault: string): Map<string, SecretPolicy> {
  const named = policy.secrets.flatMap((secret) =>
    [secret, ...secret.derived].map((each) => ({ each, secret })),
  );
  const mine = named.filter(({ each }) => each.vault.name === vault);
  return new Map(mine.map(({ each, secret }) => [each.name.toLowerCase(), secret]));
}

function isMissing(
  { name, vault }: SecretPolicy,
  at: string,
  missing: ReadonlyMap<string, unknown>,
): boolean {
  return vault.name === at && missing.has(name.toLowerCase());
}

/** Due by its dates, asked for, not closed, or somebody else's version; tags only save reads here, the look decides. */
function wantsLook(listing: SecretListing, secret: SecretPolicy, now: number): boolean {
  const { state, intent } = readRecord(listing.tags);
  const due = dueAt({ createdAt: listing.createdAt, expiresAt: listing.expiresAt }, secret) <= now;
  return due || intent !== undefined || state !== "retired" || !listing.enabled;
}

function reportMissing(log: Log, secret: SecretPolicy): void {
  log.warn({ secret: secret.key, code: "secret-missing" }, "a secret of the policy is not in its vault");
}
