import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { Fault } from "../src/errors.ts";
import { createLifecycle, isAllowed, type Opening, type State, stopOnSignals } from "../src/lifecycle.ts";
import { captureLog } from "./support/capture-log.ts";
import { until } from "./support/until.ts";
import { createVirtualClock } from "./support/virtual-clock.ts";

function setUp() {
  const clock = createVirtualClock();
  const { log, lines } = captureLog();
  const lifecycle = createLifecycle({ clock, log, drain: 25_000 });
  const states = () => lines().flatMap(({ msg, to }) => (msg === "worker changes state" ? [to] : []));
  const isState = (state: State) => until(`the worker is ${state}`, () => lifecycle.state === state);
  return { clock, lifecycle, states, isState };
}

/** A promise that somebody else settles. */
function gate() {
  return Promise.withResolvers<void>();
}

describe("transitions", () => {
  const all: State[] = ["created", "starting", "running", "draining", "stopped", "failed"];
  const paths = all.flatMap((from) => all.filter((to) => isAllowed(from, to)).map((to) => `${from} ${to}`));

  it("are these and no others", () => {
    expect(paths).toEqual([
      "created starting",
      "created stopped",
      "created failed",
      "starting running",
      "starting draining",
      "running draining",
      "draining stopped",
      "draining failed",
    ]);
  });
});

describe("lifecycle", () => {
  it("opens in order, runs until told to stop, and closes in reverse", async () => {
    const { lifecycle, states, isState } = setUp();
    const steps: string[] = [];
    const end = lifecycle.run(async ({ stack }) => {
      for (const name of ["redis", "queue", "intake"]) {
        steps.push(`open ${name}`);
        stack.defer(() => void steps.push(`close ${name}`));
      }
    });
    await isState("running");
    lifecycle.stop("SIGTERM");
    expect(await end).toBe("stopped");
    expect(states()).toEqual(["starting", "running", "draining", "stopped"]);
    expect(steps).toEqual([
      "open redis",
      "open queue",
      "open intake",
      "close intake",
      "close queue",
      "close redis",
    ]);
  });

  it("opens nothing when the signal came before the start", async () => {
    const { lifecycle, states } = setUp();
    lifecycle.stop("SIGTERM");
    let opened = false;
    const open = async () => {
      opened = true;
    };
    expect(await lifecycle.run(open)).toBe("stopped");
    expect(opened).toBe(false);
    expect(states()).toEqual(["stopped"]);
  });

  it("closes what is open when the signal comes during the start", async () => {
    const { lifecycle, states } = setUp();
    let closed = false;
    const end = lifecycle.run(async ({ stack, stopping }) => {
      stack.defer(() => {
        closed = true;
      });
      lifecycle.stop("SIGTERM");
      stopping.throwIfAborted();
    });
    expect(await end).toBe("stopped");
    expect(closed).toBe(true);
    expect(states()).toEqual(["starting", "draining", "stopped"]);
  });

  it("does not wait for ever for a start that does not hear the signal", async () => {
    const { clock, lifecycle } = setUp();
    const end = lifecycle.run(() => gate().promise);
    lifecycle.stop("SIGTERM");
    await clock.advance(25_000);
    expect(await end).toBe("stopped");
  });

  it("fails, and closes what is open, when the start fails", async () => {
    const { lifecycle, states } = setUp();
    let closed = false;
    const end = lifecycle.run(async ({ stack }) => {
      stack.defer(() => {
        closed = true;
      });
      throw new Fault("invalid-policy", "no");
    });
    expect(await end).toBe("failed");
    expect(closed).toBe(true);
    expect(states()).toEqual(["starting", "draining", "failed"]);
  });

  it("fails when something it needs fails while it runs", async () => {
    const { lifecycle, isState } = setUp();
    const end = lifecycle.run(async () => undefined);
    await isState("running");
    lifecycle.fail(new Fault("unavailable", "the receiver has given up"));
    expect(await end).toBe("failed");
  });

  it("fails when something cannot be closed, after closing the rest", async () => {
    const { lifecycle, isState } = setUp();
    let closed = false;
    const end = lifecycle.run(async ({ stack }) => {
      stack.defer(() => {
        closed = true;
      });
      stack.defer(() => {
        throw new Error("stuck");
      });
    });
    await isState("running");
    lifecycle.stop("SIGTERM");
    expect(await end).toBe("failed");
    expect(closed).toBe(true);
  });

  it("waits for work that ends within the drain", async () => {
    const { clock, lifecycle, isState } = setUp();
    const work = gate();
    let opening: Opening | undefined;
    const end = lifecycle.run(async (given) => {
      opening = given;
      given.stack.defer(() => work.promise);
    });
    await isState("running");
    lifecycle.stop("SIGTERM");
    await clock.advance(24_000);
    expect(lifecycle.state).toBe("draining");
    expect([opening?.stopping.aborted, opening?.hurry.aborted]).toEqual([true, false]);
    work.resolve();
    expect(await end).toBe("stopped");
    expect(opening?.hurry.aborted).toBe(false);
    expect(clock.sleepers).toBe(0);
  });

  it("cuts off work that overruns the drain", async () => {
    const { clock, lifecycle, isState } = setUp();
    const end = lifecycle.run(async ({ stack, hurry }) => {
      stack.defer(() => new Promise((resolve) => hurry.addEventListener("abort", () => resolve())));
    });
    await isState("running");
    lifecycle.stop("SIGTERM");
    await clock.advance(25_000);
    expect(await end).toBe("stopped");
  });

  it("fails when work does not even end when it is cut off", async () => {
    const { clock, lifecycle, isState } = setUp();
    const end = lifecycle.run(async ({ stack }) => stack.defer(() => gate().promise));
    await isState("running");
    lifecycle.stop("SIGTERM");
    await clock.advance(24_999);
    expect(lifecycle.state).toBe("draining");
    await clock.advance(3_000);
    expect(await end).toBe("failed");
  });

  it.each(["draining", "running"] as const)("takes a second signal for now, in %s", async (when) => {
    const { lifecycle, isState } = setUp();
    const end = lifecycle.run(async ({ stack, hurry }) => {
      stack.defer(
        () =>
          new Promise((resolve) => {
            if (hurry.aborted) resolve();
            else hurry.addEventListener("abort", () => resolve());
          }),
      );
    });
    await isState("running");
    lifecycle.stop("SIGTERM");
    await isState(when);
    lifecycle.stop("SIGTERM");
    expect(await end).toBe("stopped");
  });
});

describe("stopOnSignals", () => {
  it("hears both signals until it is disposed of", () => {
    const emitter = new EventEmitter();
    const heard: string[] = [];
    const listening = stopOnSignals({ stop: (reason) => void heard.push(reason) }, emitter);
    emitter.emit("SIGTERM");
    emitter.emit("SIGINT");
    listening[Symbol.dispose]();
    emitter.emit("SIGTERM");
    expect(heard).toEqual(["SIGTERM", "SIGINT"]);
    expect(emitter.eventNames()).toEqual([]);
  });
});
