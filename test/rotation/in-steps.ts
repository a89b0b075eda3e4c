import { act } from "../../src/rotation/act/act.ts";
import type { Scene } from "../../src/rotation/act/scene.ts";
import { type Act, isAct, type Pause } from "../../src/rotation/model/action.ts";
import { observeAndDecide } from "../../src/rotation/reconcile.ts";
import { readRecord, type VersionRecord } from "../../src/rotation/record/tags.ts";
import type { Request } from "../../src/request.ts";
import type { GroundOptions } from "../crash/ground.ts";
import type { Scenario } from "../crash/scenarios/scenario.ts";
import { createWorld, type World } from "../crash/world.ts";
import type { SecretVersionState } from "../local-azure/state.ts";

const { signal } = new AbortController();

/** One secret in a world in memory, whose rotation goes on by one step whenever a test says so. */
export interface InSteps {
  readonly world: World;
  /** What is observed now, and what would be done next. */
  next(request?: Request): Promise<{ readonly scene: Scene; readonly action: Act | Pause }>;
  /** Takes one step after the other until one of this kind is next; that one is not taken. */
  upTo(kind: (Act | Pause)["kind"], request?: Request): Promise<Scene>;
  /** Takes this step instead of the one that is next. */
  take(action: Act, scene: Scene): Promise<void>;
  versions(name?: string): readonly SecretVersionState[];
  /** Our tags on the newest version. */
  record(name?: string): VersionRecord;
}

/** The secret is due: its first version ends in 29 days. */
export async function inSteps(scenario: Scenario, options: GroundOptions = {}): Promise<InSteps> {
  const world = await createWorld(scenario, options);
  await world.ground.begin();
  const { ports } = world.startWorker();
  const [secret] = ports.policy.secrets;
  if (!secret) throw new Error("the policy has no secret");
  const next: InSteps["next"] = async (request) => {
    const { observed, action } = await observeAndDecide(secret, request, ports, signal);
    return { scene: { secret, observed, ports, signal }, action };
  };
  const take: InSteps["take"] = (action, scene) => act(action, secret, scene.observed, ports, signal);
  const versions: InSteps["versions"] = (name = secret.name) =>
    world.ground.vault.secrets.get(name)?.versions ?? [];
  return {
    world,
    next,
    take,
    versions,
    record: (name) => readRecord(versions(name).at(-1)?.tags ?? {}),
    async upTo(kind, request) {
      for (;;) {
        const { scene, action } = await next(request);
        if (action.kind === kind) return scene;
        if (!isAct(action)) throw new Error(`${action.kind} comes before ${kind}`);
        await take(action, scene);
      }
    },
  };
}
