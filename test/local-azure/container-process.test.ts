import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startProcess } from "./container-process.ts";

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const module = new URL("container-process.ts", import.meta.url).href;

/** A process that starts a container with a child of its own, tells both pids, and then dies as it is told. */
async function dieAsParent(signal: NodeJS.Signals): Promise<number[]> {
  const container = `
    const child = require("node:child_process").spawn("sleep", ["1000"]);
    console.log(process.pid, child.pid);
    process.on("SIGTERM", () => {});
    setInterval(() => {}, 1000);`;
  const parent = `
    import { startProcess } from ${JSON.stringify(module)};
    const command = ["node", "--eval", ${JSON.stringify(container)}];
    startProcess({ command, env: { PATH: process.env.PATH }, cwd: "/", onLine: (line) => console.log(line) });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", parent], {
    env: { ...process.env, PATH: `${new URL(".", `file://${process.execPath}`).pathname}:/usr/bin:/bin` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  child.kill(signal);
  await gone;
  return String(line).split(" ").map(Number);
}

test.each(["SIGKILL", "SIGTERM"] as const)(
  "no container outlives a local Azure that dies of %s",
  async (signal) => {
    const pids = await dieAsParent(signal);
    expect(pids).toHaveLength(2);
    await until("container and its child are gone", () => !pids.some(isAlive));
  },
);

test("exit codes are those of a shell, and all lines have arrived by then", async () => {
  const lines: string[] = [];
  const script = "for (let i = 0; i < 500; i++) console.log(i); console.error('end'); process.exitCode = 7";
  const running = startProcess({
    command: [process.execPath, "--eval", script],
    env: {},
    cwd: "/",
    onLine: (line) => lines.push(line),
  });
  expect(await running.exited).toBe(7);
  expect(lines).toHaveLength(501);
});
