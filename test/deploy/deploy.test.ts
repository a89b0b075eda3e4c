import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { readConfig } from "../../src/config/config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");

const Group = z.object({
  identity: z.object({ type: z.literal("UserAssigned") }),
  properties: z.object({
    restartPolicy: z.literal("Always"),
    ipAddress: z.never().optional(),
    containers: z.array(
      z.object({
        properties: z.object({
          environmentVariables: z.array(z.object({ name: z.string(), value: z.string() })),
          livenessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.number() }) }),
          readinessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.number() }) }),
          volumeMounts: z.array(
            z.object({ name: z.string(), mountPath: z.string(), readOnly: z.literal(true) }),
          ),
        }),
      }),
    ),
    volumes: z.array(z.object({ name: z.string(), secret: z.record(z.string(), z.string()) })),
  }),
});

describe("the container group", () => {
  const filled = read("deploy/container-group.yaml")
    .replaceAll("@CLIENT_ID@", crypto.randomUUID())
    .replaceAll(/@\w+@/g, "filled");
  const { properties } = Group.parse(parse(filled));
  const container = properties.containers[0]?.properties;

  test("gives the worker an environment that it accepts", () => {
    const env = Object.fromEntries(
      container?.environmentVariables.map(({ name, value }) => [name, value]) ?? [],
    );
    const config = readConfig(env, "worker");
    expect(config.probes).toEqual({ port: 8080, bind: "0.0.0.0" });
    expect(config.redis).toMatchObject({ tls: true, port: 10_000 });
    const mount = container?.volumeMounts.find(({ mountPath }) =>
      config.policyFile.startsWith(`${mountPath}/`),
    );
    const volume = properties.volumes.find(({ name }) => name === mount?.name);
    expect(Object.keys(volume?.secret ?? {})).toEqual([config.policyFile.split("/").at(-1)]);
  });

  test("is probed where the worker answers", () => {
    expect(container?.livenessProbe.httpGet).toMatchObject({ path: "/livez", port: 8080 });
    expect(container?.readinessProbe.httpGet).toMatchObject({ path: "/readyz", port: 8080 });
  });
});

describe("the roles", () => {
  const Role = z.object({ Actions: z.array(z.string()), DataActions: z.array(z.string()) });
  const roles = globSync("deploy/roles/*.json", { cwd: root }).map((file) =>
    Role.parse(JSON.parse(read(file))),
  );
  const actions = roles.flatMap(({ Actions, DataActions }) => [...Actions, ...DataActions]);

  test("hold no wildcard, and nothing that deletes, writes container groups or gets into them", () => {
    expect(actions.length).toBeGreaterThan(0);
    expect(actions.filter((action) => /\*|delete|purge|write|exec|attach|logs/i.test(action))).toEqual([]);
  });
});

describe("the image", () => {
  const dockerfile = read("Dockerfile");

  test("is built on nothing, runs as nobody, and has no health check of Docker's", () => {
    const last = dockerfile.split(/^FROM /m).at(-1) ?? "";
    expect(last).toMatch(/^scratch\n/);
    expect(last).toContain("USER 65532:65532");
    expect(dockerfile).not.toMatch(/^HEALTHCHECK/m);
  });
});

describe("deploy/setup.sh", () => {
  const env = {
    PATH: process.env.PATH,
    SUBSCRIPTION: "sub",
    RESOURCE_GROUP: "security",
    LOCATION: "westeurope",
    VAULT_ID: "/subscriptions/sub/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/prod-kv",
    SCOPES: "/subscriptions/sub/resourceGroups/apps /subscriptions/sub/resourceGroups/more",
    POLICY: join(root, "deploy/policy.example.yaml"),
    IMAGE: "registry.azurecr.io/keyturn@sha256:0123",
  };
  const script = (more: Record<string, string> = {}, ...args: string[]) =>
    spawnSync("bash", [join(root, "deploy/setup.sh"), ...args], {
      env: { ...env, ...more },
      encoding: "utf8",
    });

  test("shows every command without running one, and leaves no placeholder", () => {
    const { status, stdout } = script({}, "--dry-run");
    expect(status).toBe(0);
    for (const part of [
      "identity create",
      "servicebus queue create",
      "event-subscription create",
      "redisEnterprise",
      "container create",
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout.match(/Keyturn\\ Restarter --scope/g)).toHaveLength(2);
    expect(stdout).not.toMatch(/@[A-Z_0-9]+@/);
  });

  test("asks for what it needs, and insists on a digest", () => {
    expect(script({ VAULT_ID: "" }, "--dry-run")).toMatchObject({ status: 2 });
    const tagged = script({ IMAGE: "registry.azurecr.io/keyturn:latest" }, "--dry-run");
    expect(tagged).toMatchObject({ status: 2 });
    expect(tagged.stderr).toContain("digest");
  });
});
