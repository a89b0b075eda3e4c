import { runTask, type Task } from "./tasks.ts";

/** One process of `pool.ts`: a task comes in, its outcome goes out. */
process.on("message", (task: Task) => {
  runTask(task).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
