import type { AzureState, FaultRule } from "./state.ts";

/** Takes the first rule for this call that has uses left, and uses it up once. */
export function takeFault(
  state: AzureState,
  service: FaultRule["service"],
  call: string,
  positions: readonly FaultRule["position"][] = ["before", "after", "lost"],
): FaultRule | undefined {
  const rule = state.faults.find(
    (candidate) =>
      candidate.service === service &&
      candidate.times !== 0 &&
      positions.includes(candidate.position) &&
      new RegExp(candidate.match, "i").test(call),
  );
  if (rule && rule.times > 0) rule.times -= 1;
  return rule;
}

export function recordCall(state: AzureState, call: Omit<AzureState["calls"][number], "at">): void {
  state.calls.push({ at: state.clock.now(), ...call });
  if (state.calls.length > 10_000) state.calls.splice(0, 1_000);
}
