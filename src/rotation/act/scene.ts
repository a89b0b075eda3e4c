import { Fault } from "../../errors.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import type { Credential } from "../../rotators/rotator.ts";
import type { SecretValue } from "../../secret-value.ts";
import type { ReadVersion, Snapshot } from "../model/snapshot.ts";
import type { RotationPorts } from "../ports.ts";

/** What one act works on. */
export interface Scene {
  readonly secret: SecretPolicy;
  readonly observed: Snapshot;
  readonly ports: RotationPorts;
  readonly signal: AbortSignal;
}

/** What was read from there; the decision has seen to it that there is something. */
export function versionIn(
  { observed, secret }: Scene,
  place: "latest" | "pending" | "replaced",
): ReadVersion {
  const found = observed[place];
  if (!found) throw new Fault("internal-error", `nothing was read from ${place}`, { secret: secret.key });
  return found;
}

export function credentialOf(scene: Scene, place: "latest" | "pending" | "replaced"): Credential {
  const { credential } = versionIn(scene, place);
  if (!credential) {
    throw new Fault("internal-error", `the text in ${place} holds no credential`, {
      secret: scene.secret.key,
    });
  }
  return credential;
}

/** The text that was read from there. */
export function textIn(scene: Scene, place: "latest" | "pending" | "replaced"): SecretValue {
  const { value } = versionIn(scene, place).stored;
  if (value) return value;
  throw new Fault("internal-error", `the version in ${place} could not be read`, {
    secret: scene.secret.key,
  });
}
