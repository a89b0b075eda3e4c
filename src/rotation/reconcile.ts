import type { SecretPolicy } from "../policy/policy.ts";
import { nextAction } from "./decide/next-action.ts";
import type { Action } from "./model/action.ts";
import type { Request } from "./model/observation.ts";
import type { Observed } from "./model/snapshot.ts";
import { lookAtDependents } from "./observe/dependents.ts";
import { lookAtChildren } from "./observe/derived.ts";
import { lookAtProvider } from "./observe/provider.ts";
import { observe } from "./observe/secret.ts";
import type { RotationPorts } from "./ports.ts";

const looks = { provider: lookAtProvider, children: lookAtChildren, dependents: lookAtDependents };

/** What to do now about one secret, and the look it was decided on. Looks only as far as the decision needs. */
export async function lookAndDecide(
  secret: SecretPolicy,
  request: Request | undefined,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<{ observed: Observed; action: Exclude<Action, { kind: "look" }> }> {
  const rules = { ...secret, deadline: ports.policy.rollout.deadline };
  let observed = await observe(secret, request, ports, signal);
  for (;;) {
    const action = nextAction(observed.facts, rules);
    if (action.kind !== "look") return { observed, action };
    observed = await looks[action.at](secret, observed, ports, signal);
  }
}
