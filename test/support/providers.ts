import type { Providers } from "../../src/rotators/rotator.ts";

/** The systems of one test: asking for one that is left out throws. */
export function providersWith(given: Partial<Providers>): Providers {
  const systems: Providers = Object.assign(Object.create(null), given);
  return new Proxy(systems, {
    get(target, name, receiver) {
      if (name in target || typeof name === "symbol") return Reflect.get(target, name, receiver);
      throw new Error(`this test has no provider ${name}`);
    },
  });
}
