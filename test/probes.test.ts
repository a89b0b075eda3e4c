import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { Fault } from "../src/errors.ts";
import { createLog } from "../src/log.ts";
import { startProbes, type Probes, type ProbesOptions } from "../src/probes.ts";
import { until } from "./support/until.ts";
import { createVirtualClock, type VirtualClock } from "./support/virtual-clock.ts";

describe("probes", () => {
  let probes: Probes | undefined;
  let clock: VirtualClock;

  async function start(options: Partial<ProbesOptions> = {}): Promise<string> {
    clock = createVirtualClock();
    probes = await startProbes({
      port: 0,
      bind: "127.0.0.1",
      checks: {},
      alive: () => true,
      metricsHandler: (_, response) => void response.end("keyturn_jobs_total 1"),
      clock,
      log: createLog("silent"),
      ...options,
    });
    return `http://127.0.0.1:${probes.port}`;
  }
  afterEach(async () => {
    await probes?.[Symbol.asyncDispose]();
    probes = undefined;
  });

  it("is alive while the process turns and the supervisor has not given up", async () => {
    let alive = true;
    const url = await start({ alive: () => alive });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    alive = false;
    const answer = await fetch(`${url}/livez`);
    expect([answer.status, await answer.json()]).toEqual([503, { alive: false }]);
  });

  it("is ready when every check passes", async () => {
    const url = await start({ checks: { policy: () => undefined, redis: async () => undefined } });
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      ready: true,
      checks: { policy: { ok: true }, redis: { ok: true } },
    });
  });

  it("names the checks that fail by code, without any text", async () => {
    const checks = {
      policy: () => undefined,
      identity: () => {
        throw new Fault("unauthenticated", "no token for secret-looking-text");
      },
      redis: async () => {
        throw new Error("secret-looking-text");
      },
    };
    const answer = await fetch(`${await start({ checks })}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      ready: false,
      checks: {
        policy: { ok: true },
        identity: { ok: false, code: "unauthenticated" },
        redis: { ok: false, code: "internal-error" },
      },
    });
  });

  it("does not wait for a check that hangs, and tells it to stop", async () => {
    let told: AbortSignal | undefined;
    const hang = (signal: AbortSignal) => {
      told = signal;
      return new Promise<void>(() => undefined);
    };
    const answer = fetch(`${await start({ checks: { redis: hang } })}/readyz`);
    await until("the check runs", () => clock.sleepers === 1);
    await clock.advance(2_000);
    expect(await (await answer).json()).toEqual({
      ready: false,
      checks: { redis: { ok: false, code: "unavailable" } },
    });
    expect(told?.aborted).toBe(true);
  });

  it("looks once for requests that come together, and again a second later", async () => {
    let looks = 0;
    const url = await start({ checks: { redis: () => void looks++ } });
    await Promise.all(Array.from({ length: 10 }, () => fetch(`${url}/readyz`)));
    expect(looks).toBe(1);
    await clock.advance(1_000);
    await fetch(`${url}/readyz`);
    expect(looks).toBe(2);
  });

  it("serves the metrics, or says that there are none", async () => {
    expect(await (await fetch(`${await start()}/metrics`)).text()).toBe("keyturn_jobs_total 1");
    await probes?.[Symbol.asyncDispose]();
    expect((await fetch(`${await start({ metricsHandler: undefined })}/metrics`)).status).toBe(404);
  });

  it.each(["/livez", "/readyz", "/metrics"])("answers HEAD on %s without a body", async (path) => {
    const answer = await fetch((await start()) + path, { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  });

  it.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("refuses %s", async (method) => {
    let looks = 0;
    const url = await start({ checks: { redis: () => void looks++ } });
    const answer = await fetch(`${url}/readyz`, { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(looks).toBe(0);
  });

  it.each(["/", "/readyz/", "/admin", "/livez%2f..", "//livez"])("knows no %s", async (path) => {
    expect((await fetch((await start()) + path)).status).toBe(404);
  });

  it("ignores a query", async () => {
    expect((await fetch(`${await start()}/livez?verbose=1`)).status).toBe(200);
  });

  it("cuts a connection off when a handler fails", async () => {
    const url = await start({
      metricsHandler: () => {
        throw new Error("broken");
      },
    });
    await expect(fetch(`${url}/metrics`)).rejects.toThrow("fetch failed");
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it("refuses headers that are too large", async () => {
    const { port } = new URL(await start());
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(10_000)}\r\n\r\n`);
    expect(await text(socket)).toContain("431");
  });

  it("says which setting to change when the port is taken", async () => {
    const { port } = new URL(await start());
    const first = probes;
    await expect(start({ port: Number(port) })).rejects.toMatchObject({
      code: "invalid-config",
      message: expect.stringContaining("KEYTURN_PORT"),
    });
    probes = first;
  });
});
