import type { Clock, Millis, Timestamp } from "../../../src/clock.ts";
import type { EmitVaultEvent, SecretVersionState, VaultState } from "../state.ts";

/** Fixed in Azure for secrets. */
const nearExpiry: Millis = 30 * 24 * 3600 * 1000;

/** Node's timers fire at once when asked for more than 31 bits of milliseconds. */
const longestSleep: Millis = 2 ** 31 - 1;

export interface ExpiryWatch {
  /** Follows a version to its `exp`; called again for the same version it starts anew. */
  follow(name: string, version: SecretVersionState): void;
  close(): void;
}

/**
 * Emits `SecretNearExpiry` once per version, 30 days before `exp` or `delay` after it was stored with less, and
 * `SecretExpired` at `exp`. Azure tells it of the current version only, disabled or not.
 */
export function createExpiryWatch(
  clock: Clock,
  vault: VaultState,
  emit: EmitVaultEvent,
  delay: Millis,
): ExpiryWatch {
  const followed = new Map<SecretVersionState, AbortController>();

  async function run(name: string, version: SecretVersionState, exp: Timestamp, signal: AbortSignal) {
    const isCurrent = () => vault.secrets.get(name.toLowerCase())?.versions.at(-1) === version;
    const near = Math.max(exp - nearExpiry, clock.now() + delay);
    for (const [type, at] of [
      ["NearExpiry", near],
      ["Expired", Math.max(exp, near)],
    ] as const) {
      await sleepUntil(clock, at, signal);
      if (!isCurrent()) return;
      emit({ type: `Microsoft.KeyVault.Secret${type}`, vault, name, version });
    }
  }

  return {
    follow(name, version) {
      followed.get(version)?.abort();
      if (version.exp === undefined) return;
      const stop = new AbortController();
      followed.set(version, stop);
      run(name, version, version.exp * 1000, stop.signal)
        .catch((error: unknown) => {
          if (!stop.signal.aborted) throw error;
        })
        .finally(() => {
          if (followed.get(version) === stop) followed.delete(version);
        });
    },
    close() {
      for (const stop of followed.values()) stop.abort();
      followed.clear();
    },
  };
}

async function sleepUntil(clock: Clock, at: Timestamp, signal: AbortSignal): Promise<void> {
  for (let left = at - clock.now(); left > 0; left = at - clock.now()) {
    await clock.sleep(Math.min(left, longestSleep), signal);
  }
}
