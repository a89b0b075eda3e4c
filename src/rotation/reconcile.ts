import type { SecretPolicy } from "../policy/policy.ts";
import { nextAction } from "./decide/next-action.ts";
import type { Action } from "./model/action.ts";
import type { Request } from "./model/observation.ts";
import type { Snapshot } from "./model/snapshot.ts";
import { observeDependents } from "./observe/dependents.ts";
import { observeDerived } from "./observe/derived.ts";
import { observeProvider } from "./observe/provider.ts";
import { observeSecret } from "./observe/secret.ts";
import type { RotationPorts } from "./ports.ts";

const observers = { provider: observeProvider, derived: observeDerived, dependents: observeDependents };

/** What to do now about one secret, and the look it was decided on. Looks only as far as the decision needs. */
export async function observeAndDecide(
  secret: SecretPolicy,
  request: Request | undefined,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<{ observed: Snapshot; action: Exclude<Action, { kind: "observe" }> }> {
  const rules = { ...secret, deadline: ports.policy.rollout.deadline };
  let observed = await observeSecret(secret, request, ports, signal);
  for (;;) {
    const action = nextAction(observed.facts, rules);
    if (action.kind !== "observe") return { observed, action };
    observed = await observers[action.what](secret, observed, ports, signal);
  }
}
