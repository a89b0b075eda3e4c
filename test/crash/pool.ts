import { type ChildProcess, fork } from "node:child_process";
import type { Outcome, Task } from "./tasks.ts";

/** Runs the tasks in this order in so many processes, each in one of them, and tells each outcome as it comes. */
export async function runInProcesses(
  tasks: readonly Task[],
  processes: number,
  done: (outcome: Outcome) => void,
): Promise<void> {
  const left = tasks.values();
  await Promise.all(Array.from({ length: processes }, () => runInOne(left, done)));
}

async function runInOne(left: Iterator<Task>, done: (outcome: Outcome) => void): Promise<void> {
  const child = fork(new URL("./task-process.ts", import.meta.url));
  try {
    for (let next = left.next(); !next.done; next = left.next()) done(await answer(child, next.value));
  } finally {
    child.disconnect();
  }
}

function answer(child: ChildProcess, task: Task): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const died = () => reject(new Error(`the process that worked on ${task.part} died`));
    child.once("exit", died);
    child.once("message", (outcome: Outcome) => {
      child.off("exit", died);
      resolve(outcome);
    });
    child.send(task);
  });
}
