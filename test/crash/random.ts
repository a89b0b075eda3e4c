/** Chance that a seed can bring back. */
export interface Random {
  /** A whole number from 0 up to but excluding `limit`. */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
}

/** Mulberry32: small, fast, and good enough to choose schedules. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
  return {
    below,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError("nothing to pick from");
      return item;
    },
  };
}

/** Of the environment, so that a failure can be brought back; else a new one. */
export function seedOf(environment: Readonly<Record<string, string | undefined>>): number {
  return Number(environment.KEYTURN_SEED ?? Math.floor(performance.timeOrigin * 1000) % 2 ** 32);
}

/** For the share of `npm test`, which is to say the same of the same code: `npm run test:matrix` goes on to new ones. */
export function fixedSeed(environment: Readonly<Record<string, string | undefined>>): number {
  return seedOf({ KEYTURN_SEED: "1", ...environment });
}
