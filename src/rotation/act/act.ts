import type { SecretPolicy } from "../../policy/policy.ts";
import type { Act } from "../model/action.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type RotationPorts, rotatorContext } from "../ports.ts";
import { mint, park, reopenPending, settlePending } from "./candidate.ts";
import { close, enable } from "./close.ts";
import { publishDerived } from "./derived.ts";
import { publish } from "./publish.ts";
import { changeRecord, dropIntent, waive, writeIntent } from "./record.ts";
import { restore } from "./roll-back.ts";
import { credentialOf, type Scene } from "./scene.ts";

/** Performs one action on what was observed. Each may be repeated; none decides. @throws Fault */
export async function act(
  action: Act,
  secret: SecretPolicy,
  observed: Snapshot,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<void> {
  const scene: Scene = { secret, observed, ports, signal };
  switch (action.kind) {
    case "write-intent":
      return writeIntent(scene, action.mode);
    case "park":
      return park(scene, action.slot, action.rotation);
    case "mint":
      return mint(scene, action.slot, action.rotation);
    case "apply":
      return secret.rotator.apply(credentialOf(scene, "pending"), rotatorContext(ports, signal));
    case "repair":
      return secret.rotator.apply(credentialOf(scene, "latest"), rotatorContext(ports, signal));
    case "publish":
      return publish(scene, action.rotation);
    case "publish-derived":
      return publishDerived(scene, action.derived);
    case "settle-pending":
      return settlePending(scene);
    case "reopen-pending":
      return reopenPending(scene, action.rotation);
    case "revoke":
      return secret.rotator.revoke(action.credentialId, rotatorContext(ports, signal));
    case "close":
      return close(scene);
    case "disable":
      return enable(scene, action.version, false);
    case "reopen":
      return enable(scene, action.version, true);
    case "mark-leaked":
      return changeRecord(scene, (record) => ({ ...record, hold: { ...record.hold, leaked: true } }));
    case "waive":
      return waive(scene, action.group);
    case "set-back":
      return secret.rotator.apply(credentialOf(scene, action.to), rotatorContext(ports, signal));
    case "restore":
      return restore(scene);
    case "drop-intent":
      return dropIntent(scene);
    default:
      return action satisfies never;
  }
}
