import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startProcess } from "./container-process.ts";
import { createFixture, definitionOf, type Fixture } from "./resource-manager/fixture.ts";
import { addIdentity } from "./resources.ts";

const idle = "setInterval(() => {}, 1000)";

/** The first container of a group with real processes. */
function containerOf({ containers, id }: Fixture, name = "app") {
  const [container] = containers.get(id(name))?.containers ?? [];
  if (!container) throw new Error(`there is no container in ${name}`);
  return container;
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const real = { run: startProcess, backOff: { first: 10, most: 40 }, grace: 500 };

test("a restart replaces the process and moves the start time", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  await containers.put(id("app"), definitionOf(idle));
  const { pid, startTime = 0 } = { ...containerOf(fixture) };
  expect(isAlive(pid)).toBe(true);
  await until("the clock has moved", () => Date.now() > startTime);
  await containers.restart(id("app"));
  const after = containerOf(fixture);
  expect(isAlive(pid)).toBe(false);
  expect(after.pid).not.toBe(pid);
  expect(isAlive(after.pid)).toBe(true);
  expect(after.startTime).toBeGreaterThan(startTime);
  expect(after.previousState).toMatchObject({ state: "Terminated", startTime });
});

test("a process that ignores SIGTERM is killed after the grace time, with its own children", async () => {
  await using fixture = await createFixture({ ...real, grace: 50 });
  const { containers, id } = fixture;
  const script = `
    process.on("SIGTERM", () => {});
    const child = require("node:child_process").spawn("sleep", ["1000"]);
    console.log("child", child.pid);
    ${idle}`;
  await containers.put(id("app"), definitionOf(script));
  const line = await until("it tells its child", () => containerOf(fixture).log[0]);
  const child = Number(line.split(" ")[1]);
  const { pid } = containerOf(fixture);
  await containers.stop(id("app"));
  expect(containerOf(fixture)).toMatchObject({ state: "Terminated", exitCode: 137, pid: undefined });
  expect(isAlive(pid)).toBe(false);
  await until("the child is gone", () => !isAlive(child));
});

test("what a container that ends leaves running ends with it", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  const script = `
    const child = require("node:child_process").spawn("sleep", ["1000"], { stdio: "ignore" });
    child.unref();
    console.log(child.pid);`;
  await containers.put(id("app"), definitionOf(script, { properties: { restartPolicy: "Never" } }));
  await until("the group has succeeded", () => containers.get(id("app"))?.state === "Succeeded");
  const child = Number(containerOf(fixture).log[0]);
  expect(child).toBeGreaterThan(0);
  await until("its child is gone", () => !isAlive(child));
});

test("a container sees its declared variables, secure ones too, and what its identities need", async () => {
  const asked: unknown[] = [];
  const environmentFor = async (...args: unknown[]) => {
    asked.push(args);
    return { PLATFORM: "token-endpoint" };
  };
  await using fixture = await createFixture({ ...real, environmentFor });
  const { containers, id, state } = fixture;
  const shared = addIdentity(state, "shared");
  const environmentVariables = [
    { name: "PLAIN", value: "plain" },
    { name: "SECURE", secureValue: "hidden" },
  ];
  const script = `console.log(JSON.stringify(process.env)); ${idle}`;
  const userAssignedIdentities = { [shared.resourceId.toUpperCase()]: {} };
  const group = await containers.put(
    id("app"),
    definitionOf(script, {
      container: { environmentVariables },
      identity: { type: "SystemAssigned, UserAssigned", userAssignedIdentities },
    }),
  );
  const line = await until("it has printed its environment", () => containerOf(fixture).log[0]);
  const environment = JSON.parse(line);
  expect(environment).toMatchObject({ PLAIN: "plain", SECURE: "hidden", PLATFORM: "token-endpoint" });
  // Nothing of ours leaks in.
  expect(Object.keys(environment).toSorted()).toEqual(["PATH", "PLAIN", "PLATFORM", "SECURE"]);
  const [own] = group.identity?.principalIds ?? [];
  expect(asked).toEqual([[[own, shared.principalId], own]]);
  expect(state.identities.get(own ?? "")?.resourceId).toBe(id("app"));
});

test("a secret volume is a folder that the container finds through its environment, until the group stops", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  const volumes = [{ name: "my-conf", secret: { "db.txt": Buffer.from("content").toString("base64") } }];
  const volumeMounts = [{ name: "my-conf", mountPath: "/mnt/conf" }];
  const script = `
    const folder = process.env.KEYTURN_MOUNT_MY_CONF;
    console.log(folder, require("node:fs").readFileSync(folder + "/db.txt", "utf8"));
    ${idle}`;
  await containers.put(
    id("app"),
    definitionOf(script, { properties: { volumes }, container: { volumeMounts } }),
  );
  const line = await until("it has read the file", () => containerOf(fixture).log[0]);
  const [folder = "", content] = line.split(" ");
  expect(content).toBe("content");
  await containers.stop(id("app"));
  expect(existsSync(folder)).toBe(false);
});

test("a crash loop under Always shows as a running group whose container waits and counts its restarts", async () => {
  await using fixture = await createFixture({ ...real, backOff: { first: 10, most: 60_000 } });
  const { containers, id } = fixture;
  await containers.put(id("app"), definitionOf("process.exit(3)"));
  await until("it has restarted and waits again", () => {
    const { state, restartCount } = containerOf(fixture);
    return state === "Waiting" && restartCount >= 2;
  });
  const container = containerOf(fixture);
  expect(container.detailStatus).toMatch(/^CrashLoopBackOff/);
  expect(container.previousState).toMatchObject({ state: "Terminated", exitCode: 3 });
  expect(container.startTime).toBeUndefined();
  expect(container.events?.map(({ name }) => name)).toEqual(["Started", "BackOff"]);
  expect(containers.get(id("app"))?.state).toBe("Running");
});

test.each([
  ["Never", "process.exit(0)", "Succeeded"],
  ["Never", "process.exit(1)", "Failed"],
  ["OnFailure", "process.exit(0)", "Succeeded"],
])("under %s, a group whose container runs %s ends as %s", async (restartPolicy, script, state) => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  await containers.put(id("app"), definitionOf(script, { properties: { restartPolicy } }));
  await until(`the group has ${state}`, () => containers.get(id("app"))?.state === state);
  expect(containerOf(fixture)).toMatchObject({ state: "Terminated", restartCount: 0 });
});

test("OnFailure restarts what failed", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  await containers.put(
    id("app"),
    definitionOf("process.exit(1)", { properties: { restartPolicy: "OnFailure" } }),
  );
  await until("it was restarted", () => containerOf(fixture).restartCount > 0);
});

test("a command that cannot be started fails like a container, with the reason in its log", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  const command = ["/does/not/exist"];
  const properties = { restartPolicy: "Never" };
  await containers.put(id("app"), definitionOf(undefined, { container: { command }, properties }));
  await until("the group has failed", () => containers.get(id("app"))?.state === "Failed");
  expect(containerOf(fixture)).toMatchObject({ exitCode: 127 });
  expect(containerOf(fixture).log.join()).toContain("ENOENT");
});

test("a PUT replaces the group as a whole: other containers, other environment", async () => {
  await using fixture = await createFixture(real);
  const { containers, id } = fixture;
  await containers.put(id("app"), definitionOf(idle, { tags: { a: "1" } }));
  const { pid } = containerOf(fixture);
  await containers.put(id("APP"), definitionOf(`console.log("second"); ${idle}`));
  await until("the second command runs", () => containerOf(fixture).log.includes("second"));
  expect(isAlive(pid)).toBe(false);
  expect(containers.get(id("app"))?.tags).toEqual({});
});

test("closing ends all processes", async () => {
  const fixture = await createFixture(real);
  const { containers, id } = fixture;
  await Promise.all(["one", "two"].map((name) => containers.put(id(name), definitionOf(idle))));
  const pids = ["one", "two"].map((name) => containerOf(fixture, name).pid);
  expect(pids.map(isAlive)).toEqual([true, true]);
  await fixture.close();
  expect(pids.map(isAlive)).toEqual([false, false]);
});
