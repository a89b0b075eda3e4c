import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv, promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const run = promisify(execFile);

/** Starts the program and waits for the whole guide. */
async function start(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await expect.poll(() => output, { timeout: 60_000 }).toContain("az rest");
  return { child, output };
}

test("the printed commands work as they stand, and a signal ends it cleanly", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-main-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "azure.env");
  const { child, output } = await start("--env", file);

  const commands = output.split("\n").filter((line) => /^(TOKEN=|curl )/.test(line));
  expect(commands).toHaveLength(4);
  const { stdout } = await run("bash", ["-euc", commands.join("\n")]);
  expect(stdout.match(/"value":"not-a-real-password"/g)).toHaveLength(2);
  expect(stdout).toContain("PUT    /faults");

  const environment = parseEnv(await readFile(file, "utf8"));
  expect(output).toContain(`export KEYTURN_SERVICEBUS='${environment.KEYTURN_SERVICEBUS}'`);
  expect(environment).toMatchObject({
    AZURE_CLIENT_ID: expect.any(String),
    KEYTURN_VAULTS: expect.stringMatching(/^prod-kv=https:\/\/localhost:\d+$/),
    KEYTURN_QUEUE: "keyturn",
  });
  // MSI_ENDPOINT would make an SDK take another kind of identity.
  expect(environment).not.toHaveProperty("MSI_ENDPOINT");

  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  await expect(access(environment.NODE_EXTRA_CA_CERTS ?? "")).rejects.toThrow("ENOENT");
});

test("a wrong argument ends with the usage, and help is no mistake", async () => {
  await expect(run(process.execPath, [program, "--prot", "1"])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("usage: npm run azure"),
  });
  expect((await run(process.execPath, [program, "--help"])).stdout).toContain("--env FILE");
});
