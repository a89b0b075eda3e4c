import { randomInt } from "node:crypto";
import type { Millis } from "../../clock.ts";
import { Fault } from "../../errors.ts";
import type { Credential } from "../../rotators/rotator.ts";
import { render } from "../../rotators/secret-text.ts";
import { labelOf, pendingName, rotatorContext, vaultOf } from "../ports.ts";
import { readRecord } from "../record/tags.ts";
import { newVersion } from "./publish.ts";
import type { Scene } from "./scene.ts";

/** Key Vault announces a version as near its expiry 30 days ahead; a parked candidate shall never be announced. */
const parkedAtLeast: Millis = 31 * 24 * 3600 * 1000;

/** The candidate is durable before the provider hears of it; what is applied later is what a read gives back. */
export function park(scene: Scene, slot: string, rotation: string): Promise<void> {
  return keep(scene, scene.secret.rotator.choose(slot, randomInt), rotation);
}

/** The provider makes the value, and it is parked at once: until then only the provider has it. */
export async function mint(scene: Scene, slot: string, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const label = `${labelOf(secret)}:${rotation}`;
  const expiresAt = ports.clock.now() + secret.validity;
  const credential = await secret.rotator.mint({ slot, label, expiresAt }, rotatorContext(ports, signal));
  await keep(scene, credential, rotation);
}

async function keep(scene: Scene, credential: Credential, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const value = render(secret.rotator, secret.template, credential);
  const version = await newVersion(scene, value, { rotation, credential: credential.id, state: "parked" });
  const expiresAt = Math.max(version.expiresAt ?? 0, ports.clock.now() + parkedAtLeast);
  await vaultOf(secret, ports.vaults).publish(pendingName(secret.name), { ...version, expiresAt }, signal);
}

/** Makes the candidate of a published rotation readable again, to compare it with what is published. */
export async function reopenPending(scene: Scene, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const vault = vaultOf(secret, ports.vaults);
  const name = pendingName(secret.name);
  const versions = await vault.versions(name, signal);
  // Of versions of one second any may be the one that a read gives.
  const newest = Math.max(...versions.map(({ createdAt }) => createdAt));
  const last = versions.filter(({ createdAt }) => createdAt === newest);
  const parked = last.filter(({ tags }) => readRecord(tags).rotation === rotation);
  if (parked.length === 0) {
    throw new Fault(
      "foreign-version",
      `the provider refuses the latest version of ${secret.key}, and keyturn has no candidate to compare it with; ` +
        "store a value that works, then ask again",
      { secret: secret.key },
    );
  }
  for (const { version } of parked) await vault.update(name, version, { enabled: true }, signal);
}

/**
 * The published value is proven: no parked copy is needed any more, neither the one used nor one that a process which is
 * gone had sent and that arrived late.
 */
export async function settlePending({ secret, ports, signal }: Scene): Promise<void> {
  const vault = vaultOf(secret, ports.vaults);
  const name = pendingName(secret.name);
  const parked = await vault.versions(name, signal);
  for (const { version, enabled } of parked)
    if (enabled) await vault.update(name, version, { enabled: false }, signal);
}
