import { Refusal } from "./http.ts";
import type { AzureState } from "./state.ts";

/** `every` milliseconds, `add` tokens come back, up to `capacity`. */
interface Limit {
  readonly capacity: number;
  readonly every: number;
  readonly add: number;
}

/**
 * Documented limits: Key Vault service limits per vault (windows of 10 s), Resource Manager token buckets per
 * principal and subscription.
 */
const limits = {
  "secret-create": { capacity: 300, every: 10_000, add: 300 },
  vault: { capacity: 4_000, every: 10_000, add: 4_000 },
  "arm-read": { capacity: 250, every: 40, add: 1 },
  "arm-write": { capacity: 200, every: 100, add: 1 },
  "arm-delete": { capacity: 200, every: 100, add: 1 },
} as const satisfies Record<string, Limit>;

export type LimitKind = keyof typeof limits;

interface Bucket {
  tokens: number;
  /** When tokens last came back, in milliseconds of the state's clock. */
  filledAt: number;
}

const buckets = new WeakMap<AzureState, Map<string, Bucket>>();

/**
 * Takes one token of the limit that `key` (a vault, or principal and subscription) has, if limits are switched on.
 * @returns whole seconds to wait when there is none left, else `undefined`; a refused call costs nothing.
 */
export function takeToken(state: AzureState, kind: LimitKind, key: string): number | undefined {
  if (!state.limits) return undefined;
  const limit: Limit = limits[kind];
  const bucket = bucketOf(state, `${kind} ${key}`, limit);
  const steps = Math.floor((state.clock.now() - bucket.filledAt) / limit.every);
  if (steps > 0) {
    bucket.tokens = Math.min(limit.capacity, bucket.tokens + steps * limit.add);
    bucket.filledAt += steps * limit.every;
  }
  if (bucket.tokens === 0) {
    return Math.max(1, Math.ceil((bucket.filledAt + limit.every - state.clock.now()) / 1000));
  }
  bucket.tokens -= 1;
  return undefined;
}

/** How many tokens are left, for `x-ms-ratelimit-remaining-*`; the capacity when limits are off. */
export function tokensLeft(state: AzureState, kind: LimitKind, key: string): number {
  return state.limits ? bucketOf(state, `${kind} ${key}`, limits[kind]).tokens : limits[kind].capacity;
}

/** @throws Refusal 429 with `Retry-After` when the limit is used up */
export function refuseOverLimit(state: AzureState, kind: LimitKind, key: string, code: string): void {
  const retryAfter = takeToken(state, kind, key);
  if (retryAfter === undefined) return;
  const message = "Request was not processed because too many requests were received.";
  throw new Refusal(429, code, message, { headers: { "retry-after": String(retryAfter) } });
}

function bucketOf(state: AzureState, key: string, limit: Limit): Bucket {
  const all = buckets.get(state) ?? new Map<string, Bucket>();
  buckets.set(state, all);
  const bucket = all.get(key) ?? { tokens: limit.capacity, filledAt: state.clock.now() };
  all.set(key, bucket);
  return bucket;
}
