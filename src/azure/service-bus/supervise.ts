import { ROOT_CONTEXT, context as otel } from "@opentelemetry/api";
import { randomInt } from "node:crypto";
import type { Clock, Millis } from "../../clock.ts";
import { type Fault, toFault } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { endWithin } from "../deadline.ts";
import type { HandleMessage, MessageSource, ReceiveTiming, SourceState } from "./message-source.ts";
import type { Connection, Receiver } from "./connection.ts";

export interface Supervised {
  readonly connect: () => Connection;
  readonly clock: Clock;
  readonly timing: ReceiveTiming;
  readonly log: Log;
}

/** The first call on a link only shows that queue and rights are there, so that readiness need not wait longer. */
const firstWait: Millis = 100;

/**
 * Keeps a connection that receives. A call that fails, or does not come back in time, costs the whole connection: the
 * SDK's own recovery is trusted for a blip, not to come back from everything.
 */
export function superviseMessages(options: Supervised): MessageSource {
  const { clock, timing, log } = options;
  const stopping = new AbortController();
  const status = createStatus(options);
  let running: Promise<void> = Promise.resolve();

  async function run(handle: HandleMessage): Promise<void> {
    while (!stopping.signal.aborted) {
      const fault = await receiveUntilFailure(options, status, handle, stopping.signal);
      if (!fault || stopping.signal.aborted) continue;
      const retryIn = Math.max(fault.retryAfter ?? 0, backOff(timing, status.failures()));
      log.warn({ code: fault.code, why: fault.message, retryIn }, "cannot receive messages");
      await clock.sleep(retryIn, stopping.signal).catch(() => {});
    }
  }

  return {
    start(handle) {
      // Whatever opens a connection lends it its trace for as long as it lives.
      running = otel.with(ROOT_CONTEXT, () => run(handle));
    },
    state: () => status.state(),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

interface Status {
  state(): SourceState;
  /** In a row. */
  failures(): number;
  onAnswer(): void;
  onFailure(fault: Fault): void;
}

function createStatus({ clock, log }: Supervised): Status {
  let state: SourceState = { status: "connecting", since: clock.now() };
  let failures = 0;
  return {
    state: () => state,
    failures: () => failures,
    onAnswer() {
      failures = 0;
      if (state.status === "receiving") return;
      log.info("receiving messages");
      state = { status: "receiving", since: clock.now() };
    },
    onFailure({ code }) {
      failures += 1;
      state = { status: "unreachable", code, since: failures === 1 ? clock.now() : state.since };
    },
  };
}

/** One connection: its lanes live and end together. Returns why it ended, or nothing if it was to end. */
async function receiveUntilFailure(
  options: Supervised,
  status: Status,
  handle: HandleMessage,
  stopping: AbortSignal,
): Promise<Fault | undefined> {
  const broken = new AbortController();
  const ends = AbortSignal.any([broken.signal, stopping]);
  let failure: Fault | undefined;
  const onError = (error: unknown) => {
    // The first one says why; the others end because of it, or because they are to stop.
    if (ends.aborted) return;
    failure = toFault(error);
    status.onFailure(failure);
    broken.abort();
  };
  await using stack = new AsyncDisposableStack();
  try {
    const connection = stack.adopt(options.connect(), (it) => it.close());
    const lanes = connection.receivers.map(async (receiver) => {
      for await (const message of messagesOf(receiver, options, status, ends)) {
        // The handler is not told of a broken connection: it can put the job in the queue all the same.
        await handle(message, stopping);
      }
    });
    await Promise.all(lanes.map((lane) => lane.catch(onError)));
  } catch (error) {
    onError(error);
  }
  return failure;
}

/** A call that hangs is a failure too, which is all the protection there is against a silent receiver. */
async function* messagesOf(
  receiver: Receiver,
  { clock, timing }: Supervised,
  status: Status,
  ends: AbortSignal,
) {
  for (let wait = firstWait; !ends.aborted; wait = timing.wait) {
    const message = await endWithin(clock, wait + timing.answer, receiver.receive(wait, ends));
    status.onAnswer();
    if (message) yield message;
  }
}

/** With jitter over its upper half, so that replicas do not come back all at once. */
function backOff({ first, longest }: ReceiveTiming, failures: number): Millis {
  const half = Math.ceil(Math.min(longest, first * 2 ** Math.min(failures - 1, 16)) / 2);
  return half + randomInt(half);
}
