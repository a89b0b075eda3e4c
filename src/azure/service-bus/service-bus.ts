import type { TokenCredential } from "@azure/core-auth";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { MessageSource, ReceiveTiming } from "./message-source.ts";
import { connectServiceBus } from "./connection.ts";
import { superviseMessages } from "./supervise.ts";

export interface MessageSourceOptions {
  /** `name.servicebus.windows.net`, or `localhost:5671`. TLS always. */
  readonly host: string;
  readonly queue: string;
  readonly credential: TokenCredential;
  readonly clock: Clock;
  readonly log: Log;
  /** Messages handled at the same time. */
  readonly lanes?: number;
  readonly timing?: Partial<ReceiveTiming>;
}

const defaultTiming: ReceiveTiming = { wait: 20_000, answer: 30_000, first: 500, longest: 30_000 };

export function createMessageSource(options: MessageSourceOptions): MessageSource {
  const { host, queue, credential, clock, log, lanes = 4 } = options;
  const timing = { ...defaultTiming, ...options.timing };
  return superviseMessages({
    connect: () => connectServiceBus({ host, queue, credential, lanes, clock, timing }),
    clock,
    timing,
    log: log.child({ host, queue }),
  });
}
