import type { ContainerGroups } from "../azure/container-instances.ts";
import type { KeyVault, Vaults } from "../azure/key-vault.ts";
import type { Clock } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Policy, SecretPolicy } from "../policy/policy.ts";
import type { Providers, RotatorContext } from "../rotators/rotator.ts";

/** What looking and acting need; built in `src/main.ts`. */
export interface RotationPorts {
  readonly policy: Policy;
  readonly vaults: Vaults;
  readonly providers: Providers;
  readonly groups: ContainerGroups;
  readonly clock: Clock;
}

/** Name of the secret in which a candidate waits until it is published. */
export function pendingName(name: string): string {
  return `${name}--pending`;
}

export function rotatorContext({ providers, clock }: RotationPorts, signal: AbortSignal): RotatorContext {
  return { providers, now: clock.now(), signal };
}

/** What the names of our credentials begin with at providers that name them. */
export function labelOf({ key }: SecretPolicy): string {
  return `keyturn:${key}`;
}

export function vaultOf(secret: Pick<SecretPolicy, "vault" | "key">, vaults: Vaults): KeyVault {
  const vault = vaults.get(secret.vault.name);
  if (!vault) throw new Fault("unknown-vault", `no vault named ${secret.vault.name}`, { secret: secret.key });
  return vault;
}
