import type { Millis } from "../../clock.ts";
import { vaultOf } from "../ports.ts";
import { newVersion, refuseIfMoved } from "./publish.ts";
import { credentialOf, type Scene, textIn, versionIn } from "./scene.ts";

/** A new version with the replaced value and its expiry: it is due at once, so it waits for a person, or for a while. */
export async function restore(scene: Scene): Promise<void> {
  const { secret, observed, ports, signal } = scene;
  const { stored } = versionIn(scene, "replaced");
  const { latest } = observed.facts;
  const rotation = latest.kind === "readable" ? latest.rotation : undefined;
  const notBefore = ports.clock.now() + secret.minInterval + turnOf(scene);
  const credential = credentialOf(scene, "replaced").id;
  const record = {
    rotation,
    credential,
    restores: stored.version,
    state: "published" as const,
    hold: { notBefore },
  };
  const version = await newVersion(scene, textIn(scene, "replaced"), record);
  await refuseIfMoved(secret, versionIn(scene, "latest").stored, scene);
  await vaultOf(secret, ports.vaults).publish(
    secret.name,
    { ...version, expiresAt: stored.expiresAt },
    signal,
  );
}

/** Rotations that went wrong together are tried again one after the other: each secret of the policy has its own time. */
function turnOf({ secret, ports: { policy } }: Scene): Millis {
  const each = 2 * policy.rollout.deadline;
  return (
    (policy.secrets.findIndex(({ key }) => key === secret.key) * each) % Math.max(each, secret.minInterval)
  );
}
