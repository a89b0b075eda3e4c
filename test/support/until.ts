import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks `look` until it gives something truthy, and resolves with that. Tests wait for conditions, not for times: the
 * limit is there only to say what never came.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { limit = 120_000, every = 20 }: { limit?: number; every?: number } = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${limit} ms in vain until ${what}`);
    await delay(every);
  }
}
