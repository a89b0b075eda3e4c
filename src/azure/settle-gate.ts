/**
 * Starts one settlement per turn of the event loop. Two messages with adjacent delivery ids that are settled in the same
 * turn leave rhea 3.0.5 as one range with the outcome of the first: a message to be dead-lettered is completed and lost.
 */
export function createSettleGate(): <T>(settle: () => Promise<T>) => Promise<T> {
  let gate: Promise<void> = Promise.resolve();
  return (settle) => {
    const settled = gate.then(settle);
    // Waits for the frame to be written, not for the answer: a slow answer must not hold up the others.
    gate = gate.then(() => new Promise((resolve) => setImmediate(resolve)));
    return settled;
  };
}
