import { expect, it } from "vitest";
import { createSettleGate } from "../../src/azure/settle-gate.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("starts no two settlements in one turn of the event loop", async () => {
  const gate = createSettleGate();
  let thisTurn = 0;
  let most = 0;
  const settle = async () => {
    thisTurn += 1;
    most = Math.max(most, thisTurn);
    setImmediate(() => (thisTurn = 0));
  };
  await Promise.all(Array.from({ length: 50 }, () => gate(settle)));
  expect(most).toBe(1);
});

it("waits for no answer: one that never comes holds up nobody", async () => {
  const gate = createSettleGate();
  const stuck = gate(() => new Promise<string>(() => {}));
  expect(await Promise.race([stuck, gate(async () => "second")])).toBe("second");
});

it("hands on what a settlement ends with, and a failure does not close the gate", async () => {
  const gate = createSettleGate();
  const failed = gate(async () => {
    await turn();
    throw new Error("lock lost");
  });
  await expect(failed).rejects.toThrow("lock lost");
  expect(await gate(async () => 7)).toBe(7);
});
