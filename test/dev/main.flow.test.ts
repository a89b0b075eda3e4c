import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, appendFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../support/entry-points.ts";
import { until } from "../support/until.ts";

test("npm run dev keeps a worker running, starts it anew when the policy changes, and Ctrl-C ends everything", async () => {
  const child = spawn(process.execPath, [join(root, "test/dev/main.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const starts = () => output.match(/ to=running/g)?.length ?? 0;
  await until("the worker runs", () => starts() === 1, { limit: 120_000 });

  const [policy = ""] = /^ +(\/.*policy\.yaml)$/m.exec(output)?.slice(1) ?? [];
  await appendFile(policy, "# changed\n");
  await until("another worker runs", () => starts() === 2, { limit: 120_000 });
  expect(output).toContain("to=stopped");

  const exited = once(child, "exit");
  child.kill("SIGINT");
  expect(await exited).toEqual([130, null]);
  expect(output.match(/to=stopped/g)).toHaveLength(2);
  await expect(access(dirname(policy))).rejects.toThrow("ENOENT");
});
