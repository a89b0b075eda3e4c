import { type Confirmations, observeReaders } from "../../dependents/confirmation.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import { type Snapshot, published } from "../model/snapshot.ts";
import type { RotationPorts } from "../ports.ts";

/** Looks which dependents are confirmed on the latest version, and those of the secrets derived from it on theirs. */
export async function observeDependents(
  secret: SecretPolicy,
  observed: Snapshot,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { latest } = observed.facts;
  if (latest.kind !== "readable") return observed;
  const waived = latest.record.hold?.waived;
  const own = { publishedAt: latest.createdAt, restored: latest.restored };
  const readers = [
    { policy: secret, publication: own, recorded: latest.record.dependents },
    ...published(observed),
  ];
  const found: Confirmations[] = [];
  for (const { policy, publication, recorded } of readers)
    found.push(await observeReaders(policy, { ...publication, waived, recorded }, ports, signal));
  const dependents = {
    unconfirmed: [...new Set(found.flatMap(({ unconfirmed }) => unconfirmed))],
    confirmed: sum(found.map(({ confirmed }) => confirmed)),
    down: found.flatMap(({ down }) => down),
    others: [...new Set(found.flatMap(({ others }) => others))],
    lost: sum(found.map(({ lost }) => lost)),
  };
  return { ...observed, facts: { ...observed.facts, dependents } };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
