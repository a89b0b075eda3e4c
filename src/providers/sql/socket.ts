import { Socket } from "node:net";
import type { Millis } from "../../clock.ts";
import { Fault } from "../../errors.ts";
import type { DatabaseAddress } from "./address.ts";

export interface SessionOptions {
  /** Until the log-in is through. */
  readonly connectTimeout: Millis;
  /** For each statement. */
  readonly statementTimeout: Millis;
  /** PEM of the authority to trust instead of Node's own. */
  readonly ca: string | undefined;
}

export const defaultSessionOptions: SessionOptions = {
  connectTimeout: 10_000,
  statementTimeout: 10_000,
  ca: undefined,
};

export interface LogIn {
  readonly address: DatabaseAddress;
  readonly user: string;
  readonly password: string;
}

/**
 * An unconnected socket for the time of `work`. When `signal` aborts or time is up it is closed and `work` is left alone,
 * since not every client notices a socket that just closes: that also covers a server that stops answering in the
 * middle. @throws Fault `cancelled`, or what `work` throws
 */
export async function withSocket<T>(
  { host, port }: DatabaseAddress,
  { connectTimeout, statementTimeout }: SessionOptions,
  signal: AbortSignal,
  work: (socket: Socket) => Promise<T>,
): Promise<T> {
  const socket = new Socket();
  const ending = AbortSignal.any([signal, AbortSignal.timeout(connectTimeout + 2 * statementTimeout)]);
  const over = Promise.withResolvers<never>();
  const close = () => over.reject(new Error("the time for this connection is over"));
  const cancelled = () => new Fault("cancelled", `the work at ${host}:${port} was cancelled`);
  ending.addEventListener("abort", close, { once: true });
  try {
    if (signal.aborted) throw cancelled();
    return await Promise.race([work(socket), over.promise]);
  } catch (error) {
    throw signal.aborted ? cancelled() : error;
  } finally {
    ending.removeEventListener("abort", close);
    socket.destroy();
  }
}
