import type { SecretPolicy } from "../policy/policy.ts";
import type { Action } from "./action.ts";
import { nextAction } from "./next-action.ts";
import { type Observed, type RotationPorts, lookAtDependents, lookAtProvider, observe } from "./observe.ts";
import type { Request } from "./state.ts";

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
    const look = action.at === "provider" ? lookAtProvider : lookAtDependents;
    observed = await look(secret, observed, ports, signal);
  }
}
