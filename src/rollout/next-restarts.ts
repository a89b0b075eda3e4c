import type { Timestamp } from "../clock.ts";
import type { Standing } from "../dependents/group-facts.ts";
import { isConfirmed, standing } from "../dependents/standing.ts";
import type { RolloutPolicy } from "../policy/policy.ts";
import type { Fleet, Need } from "./fleet.ts";

/** One group to be restarted now, for all its secrets at once. */
export interface Restart {
  readonly group: string;
  /** Its containers must have started after this to have read every new version. */
  readonly startedAfter: Timestamp;
  readonly secrets: readonly string[];
}

export interface RolloutDecision {
  readonly restart: readonly Restart[];
  /** Gating groups that are not up: somebody has to watch them until they are or the deadline has passed. */
  readonly watch: readonly Restart[];
  /** When to look again; `undefined` if only the end of a restart can change anything, or all is done. */
  readonly again: Timestamp | undefined;
  /** Secrets whose gating dependents are all confirmed. */
  readonly confirmed: readonly string[];
  readonly unconfirmed: readonly string[];
}

type RolloutRules = Pick<RolloutPolicy, "maxUnavailable" | "settle" | "skew" | "coalesce">;

/** A group with all that is asked of it. */
interface Order {
  readonly group: string;
  readonly needs: readonly Need[];
  readonly where: Standing;
}

/**
 * Decides for the whole fleet which groups to restart now. Pure: a group that restarts or settles counts as
 * unavailable, and while `maxUnavailable` of them do, nothing else is restarted. So one failed restart stops the roll.
 * The order is the same at every look, which is what makes a restart that was queued but not yet seen harmless.
 */
export function nextRestarts(fleet: Fleet, rules: RolloutRules): RolloutDecision {
  const orders = ordersOf(fleet, rules);
  const isSeen = ({ group }: Order) => fleet.groups.has(group.toLowerCase());
  const isDown = (order: Order) => order.where === "unsettled" && isSeen(order);
  const unavailable = orders.filter((order) => order.where === "settling" || isDown(order));
  const ready = orders.filter((order) => order.where === "behind" && isFree(order, orders));
  const due = ready.filter((order) => restartAt(order, rules) <= fleet.now);
  const later = ready.map((order) => restartAt(order, rules)).filter((at) => at > fleet.now);
  const restart = taken(due, unavailable, rules).map((order) => restartOf(order, rules));
  // Nobody waits for a group that gates nothing: who restarted it has watched it.
  const watch = orders.filter((order) => isDown(order) && gates(order));
  return {
    restart,
    watch: watch.map((order) => restartOf(order, rules)),
    again: againAt(fleet, orders, restart, later, rules),
    ...bySecret(fleet, rules),
  };
}

/**
 * What is urgent, and as many others as may be unavailable. A group that gates nothing, and that nobody may even know of,
 * takes no room from those that gate. A queued restart shows as `behind` until its containers start anew, and is first
 * in order then, so it is taken again.
 */
function taken(
  due: readonly Order[],
  unavailable: readonly Order[],
  { maxUnavailable }: RolloutRules,
): Order[] {
  const urgent = due.filter(isUrgent);
  const others = due.filter((order) => !isUrgent(order));
  const room = (busy: readonly Order[]) => Math.max(0, maxUnavailable - busy.length);
  const first = others.filter(gates).slice(0, room([...unavailable, ...urgent].filter(gates)));
  const last = others.filter((order) => !gates(order));
  return [...urgent, ...first, ...last.slice(0, room([...unavailable, ...urgent, ...first]))];
}

function isUrgent({ needs }: Order): boolean {
  return needs.some(({ urgent }) => urgent);
}

function gates({ needs }: Order): boolean {
  return needs.some(({ gate }) => gate);
}

/** Gating groups come first, in the policy's order; then the discovered ones. */
function ordersOf(fleet: Fleet, rules: RolloutRules): Order[] {
  const byGroup = Map.groupBy(fleet.needs, ({ group }) => group.toLowerCase());
  const orders = [...byGroup].map(([key, needs]): Order => {
    const group = needs[0]?.group ?? key;
    return { group, needs, where: worst(needs.map((need) => standingOf(fleet, need, rules))) };
  });
  return [...orders.filter(gates), ...orders.filter((order) => !gates(order))];
}

/** Unknown groups count as unsettled: what could not be looked at is neither restarted nor confirmed. */
function standingOf(fleet: Fleet, need: Need, rules: RolloutRules): Standing {
  const facts = fleet.groups.get(need.group.toLowerCase());
  return facts ? standing(facts, need, rules, fleet.now) : "unsettled";
}

const severity: readonly Standing[] = ["gone", "stopped", "current", "settling", "unsettled", "behind"];

function worst(standings: readonly Standing[]): Standing {
  return severity.findLast((candidate) => standings.includes(candidate)) ?? "current";
}

/** Whether every group that is to go before this one has gone. A group nobody restarts holds up nothing. */
function isFree({ needs }: Order, orders: readonly Order[]): boolean {
  const before = new Set(needs.flatMap(({ after }) => after.map((group) => group.toLowerCase())));
  return orders.every(({ group, where }) => !before.has(group.toLowerCase()) || isConfirmed(where));
}

/** Late enough to read the newest version, and to bring along other rotations published shortly after the oldest. */
function restartAt({ needs }: Order, { skew, coalesce }: RolloutRules): Timestamp {
  const published = needs.map(({ publishedAt }) => publishedAt);
  if (needs.some(({ urgent }) => urgent)) return Math.max(...published) + skew + 1;
  return Math.max(Math.min(...published) + coalesce, Math.max(...published) + skew + 1);
}

function restartOf({ group, needs }: Order, { skew }: RolloutRules): Restart {
  return {
    group,
    startedAfter: Math.max(...needs.map(({ publishedAt }) => publishedAt)) + skew,
    secrets: [...new Set(needs.map(({ secret }) => secret))],
  };
}

/** The end of a restart wakes the roller; what settles or comes due by time alone has to be waited for. */
function againAt(
  fleet: Fleet,
  orders: readonly Order[],
  restart: readonly Restart[],
  later: readonly Timestamp[],
  { settle }: RolloutRules,
): Timestamp | undefined {
  if (restart.length > 0) return undefined;
  const settled = orders
    .filter(({ where }) => where === "settling")
    .map(({ group }) => (fleet.groups.get(group.toLowerCase())?.stableSince ?? fleet.now) + settle);
  const times = [...later, ...settled];
  return times.length > 0 ? Math.max(fleet.now, Math.min(...times)) : undefined;
}

function bySecret(fleet: Fleet, rules: RolloutRules): Pick<RolloutDecision, "confirmed" | "unconfirmed"> {
  const open = fleet.needs.filter((need) => need.gate && !isConfirmed(standingOf(fleet, need, rules)));
  const unconfirmed = new Set(open.map(({ secret }) => secret));
  const all = new Set(fleet.needs.map(({ secret }) => secret));
  return { confirmed: [...all].filter((secret) => !unconfirmed.has(secret)), unconfirmed: [...unconfirmed] };
}
