import type { StoredSecret } from "../azure/key-vault.ts";
import { Fault } from "../errors.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { Credential } from "../rotators/rotator.ts";
import type { Held, Observed, RotationPorts } from "./observed.ts";

/** What one act works on. */
export interface Scene {
  readonly secret: SecretPolicy;
  readonly observed: Observed;
  readonly ports: RotationPorts;
  readonly signal: AbortSignal;
}

/** What was read from there; the decision has seen to it that there is something. */
export function held(
  { observed, secret }: Scene,
  place: "latest" | "pending" | "replaced",
): Held & { stored: StoredSecret } {
  const found = observed[place];
  if (!found) throw new Fault("internal-error", `nothing was read from ${place}`, { secret: secret.key });
  return found;
}

export function credentialOf(scene: Scene, place: "latest" | "pending" | "replaced"): Credential {
  const { credential } = held(scene, place);
  if (!credential) {
    throw new Fault("internal-error", `the text in ${place} holds no credential`, {
      secret: scene.secret.key,
    });
  }
  return credential;
}
