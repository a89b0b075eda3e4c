import type { Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import { attribute } from "../telemetry/names.ts";
import { inSpan } from "../telemetry/span.ts";
import { translateError } from "./translate-error.ts";

/** Longest one try of a call may last; the SDK has no limit of its own. */
const patience: Millis = 20_000;

export interface VaultCall {
  readonly operation: string;
  readonly verb: string;
  readonly name?: string;
  readonly version?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PerTry = typeof perTry & { readonly abortSignal: AbortSignal | undefined };
export const perTry = { requestOptions: { timeout: patience } };

/** One span and one translation of errors for each operation. */
export function callVault(vault: string) {
  return <T>(call: VaultCall, work: (options: PerTry) => Promise<T>): Promise<T> => {
    const { name, version, signal } = call;
    const secret = name && `${vault}/${name}`;
    const attributes = {
      [attribute.vault]: vault,
      [attribute.secret]: secret,
      [attribute.version]: version,
    };
    return inSpan(`KeyVault.${call.operation}`, attributes, async () => {
      try {
        return await work({ ...perTry, abortSignal: signal });
      } catch (error) {
        const doing = `${call.verb} ${[secret ?? vault, version].filter(Boolean).join("/")}`;
        const fault = translateError(error, doing, secret);
        // The SDK reports its own time limit as an abort, too.
        if (fault.code !== "cancelled" || signal?.aborted) throw fault;
        throw new Fault("unavailable", `could not ${doing}: no answer in ${patience / 1000} s`, { secret });
      }
    });
  };
}

/** Runs `work` at the first call; later ones share its outcome, unless it failed. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work().catch((error: unknown) => {
      running = undefined;
      throw error;
    });
    return running;
  };
}
