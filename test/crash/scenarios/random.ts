import type { Scenario } from "./scenario.ts";

export const random: Scenario = {
  name: "random",
  overlap: "dual",
  origin: "chosen",
  secret: { rotator: "random", target: {} },
  install: () => ({
    first: "first-signing-key-0123456789abcdefghijkl",
    live: () => undefined,
    connect: () => ({}),
    changeByHand: (text) => text,
  }),
};
