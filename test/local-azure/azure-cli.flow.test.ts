import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { until } from "../support/until.ts";
import { startAzure, type LocalAzure } from "./index.ts";
import { definitionOf } from "./resource-manager/fixture.ts";

// Debian's `az` 2.45 as it is. Its log-in takes the form-encoded token endpoint of Cloud Shell.

const run = promisify(execFile);
const isInstalled = spawnSync("az", ["version"], { stdio: "ignore" }).status === 0;
const why = "the Azure CLI is not installed: apt-get install --no-install-recommends azure-cli";

let azure: LocalAzure;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  if (!isInstalled) return;
  azure = await startAzure();
  folder = await mkdtemp(join(tmpdir(), "keyturn-az-"));
  const { identity, env } = await azure.addIdentity("operator");
  const subscription = `/subscriptions/${azure.state.subscriptionId}`;
  azure.grant(identity.principalId, "Contributor", subscription);
  azure.grant(identity.principalId, "Key Vault Secrets Officer", subscription);
  environment = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: folder,
    AZURE_CONFIG_DIR: join(folder, "az"),
    AZURE_CORE_COLLECT_TELEMETRY: "no",
    REQUESTS_CA_BUNDLE: azure.ca.file,
    MSI_ENDPOINT: `${env["AZURE_POD_IDENTITY_AUTHORITY_HOST"]}/oauth2/token`,
  };
  await az("cloud", "register", "--name", "local", "--endpoint-resource-manager", azure.urls.resourceManager);
  await az("cloud", "set", "--name", "local");
  await az("login", "--identity");
});

afterAll(async () => {
  if (!isInstalled) return;
  await azure.close();
  await rm(folder, { recursive: true });
});

/** Runs `az` and resolves with what it printed, as an object. */
async function az(...args: string[]) {
  const { stdout } = await run("az", [...args, "--output", "json"], { env: environment });
  return stdout.trim() === "" ? undefined : JSON.parse(stdout);
}

test("az logs in with the managed identity and sees the subscription", async ({ skip }) => {
  skip(!isInstalled, why);
  const { id, tenantId } = await az("account", "show");
  expect({ id, tenantId }).toEqual({ id: azure.state.subscriptionId, tenantId: azure.state.tenantId });
});

test("az creates a group from a file, restarts, stops and starts it, and shows its log", async ({ skip }) => {
  skip(!isInstalled, why);
  await az("group", "create", "--name", "apps", "--location", "local");
  const file = join(folder, "web.yaml");
  const body = definitionOf("console.log('up', process.pid); setInterval(() => {}, 1000)", {
    tags: { team: "orders" },
  });
  await writeFile(file, stringify({ apiVersion: "2023-05-01", name: "web", ...body }));
  const web = ["--resource-group", "apps", "--name", "web"];
  await az("container", "create", "--resource-group", "apps", "--file", file);
  expect(await az("container", "list", "--query", "[].name")).toEqual(["web"]);

  const start = ["container", "show", ...web, "--query", "containers[0].instanceView.currentState.startTime"];
  const before = await az(...start);
  await az("container", "restart", ...web);
  await until("the container has a later start", async () => {
    const now = await az(...start);
    return now && now > before;
  });
  await az("container", "stop", ...web);
  const state = ["container", "show", ...web, "--query", "instanceView.state"];
  await until("the group has stopped", async () => (await az(...state)) === "Stopped");
  await expect(az("container", "restart", ...web)).rejects.toThrow("is stopped");
  await az("container", "start", ...web);
  expect(await az(...state)).toBe("Running");
  await until("all three processes have written to the log", async () => {
    const { stdout } = await run("az", ["container", "logs", ...web], { env: environment });
    return stdout.match(/up \d+/g)?.length === 3;
  });
  await az("container", "delete", ...web, "--yes");
  expect(await az("container", "list")).toEqual([]);
});

test("az rest reads and writes secrets", async ({ skip }) => {
  skip(!isInstalled, why);
  const vault = await azure.addVault("prod-kv");
  const rest = [
    "--resource",
    "https://vault.azure.net",
    "--url",
    `${vault.url}/secrets/orders?api-version=7.4`,
  ];
  await az("rest", "--method", "put", ...rest, "--body", JSON.stringify({ value: "first" }));
  expect(await az("rest", "--method", "get", ...rest)).toMatchObject({ value: "first" });
});
