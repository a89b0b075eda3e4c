import { dirname } from "node:path";
import type { Millis } from "../../src/clock.ts";
import type { ProcessSpec, RunProcess } from "./container-process.ts";
import { type ContainerDefinition, type GroupDefinition, parseDefinition } from "./containers/definition.ts";
import {
  describeGroup,
  groupStateOf,
  refuseConflict,
  removeSystemAssigned,
  systemAssignedIdentity,
} from "./containers/group.ts";
import { type Supervision, type SuperviseOptions, supervise } from "./containers/supervise.ts";
import { createVolumes, type Volumes } from "./containers/volumes.ts";
import { Refusal } from "./http.ts";
import type { AzureState, GroupState } from "./state.ts";

export interface ContainersOptions {
  /** What a process with these identities needs in its environment; `systemAssigned` is one of them. */
  environmentFor(
    principalIds: readonly string[],
    systemAssigned: string | undefined,
  ): Promise<Readonly<Record<string, string>>>;
  /** `startProcess` for real processes; `simulateProcess` needs none, for virtual time. */
  readonly run: RunProcess;
  /** Image -> its command, for containers that give none. Any other image idles: nothing is ever pulled. */
  readonly images?: Readonly<Record<string, readonly string[]>>;
  /** Folder that containers start in. Default: the present one. */
  readonly cwd?: string;
  /** How long every operation takes at least; read anew by each, so that a test can change it. Default 0. */
  operationTime?: Millis;
  readonly backOff?: SuperviseOptions["backOff"];
  /** Between SIGTERM and SIGKILL; default 5 s (Azure: 30 s). */
  readonly grace?: Millis;
}

type GroupAction = "restart" | "start" | "stop" | "delete";

/** An operation that was accepted. `done` never rejects: how it went is in the group's `provisioningState`. */
export interface Begun {
  readonly group: GroupState;
  readonly created: boolean;
  readonly done: Promise<void>;
}

/**
 * The container groups of the local Azure. Ids are compared without regard to case. A method rejects with a `Refusal`
 * that carries Azure's code when the group does not exist or is in the wrong state.
 */
export interface Containers {
  /** `definition` is the body of ARM's PUT and replaces the group as a whole. Resolves when its containers run. */
  put(id: string, definition: unknown): Promise<GroupState>;
  get(id: string): GroupState | undefined;
  /** All groups under a subscription or resource group. */
  list(scope: string): GroupState[];
  delete(id: string): Promise<void>;
  restart(id: string): Promise<void>;
  start(id: string): Promise<void>;
  stop(id: string): Promise<void>;
  /** As `put`, but resolves as soon as the work has begun. */
  beginPut(id: string, definition: unknown): Promise<Begun>;
  /** Resolves as soon as the work has begun. */
  begin(id: string, action: GroupAction): Promise<Begun>;
  /** Ends all containers and waits until they are gone. */
  close(): Promise<void>;
}

/** What a group is made of that ARM does not tell. */
interface Live {
  readonly group: GroupState;
  definition: GroupDefinition;
  running: Supervision[];
  volumes: Volumes | undefined;
  /** The operation at work, or the last one. */
  work: Promise<void>;
  failure: unknown;
}

interface Context {
  readonly state: AzureState;
  readonly options: ContainersOptions;
  readonly live: Map<string, Live>;
  readonly closing: AbortSignal;
}

type Work = (one: Live, context: Context) => Promise<void>;

const actions: Readonly<Record<GroupAction, Work>> = { restart, start, stop, delete: remove };

export function createContainers(state: AzureState, options: ContainersOptions): Containers {
  const closing = new AbortController();
  const context: Context = { state, options, live: new Map(), closing: closing.signal };
  const { live } = context;

  const begin = async (id: string, action: GroupAction): Promise<Begun> => {
    const one = live.get(keyOf(id));
    if (!one) throw new Refusal(404, "ResourceNotFound", `The Resource '${id}' was not found.`);
    refuseConflict(one.group, action);
    return { group: one.group, created: false, done: operate(one, context, actions[action]) };
  };
  const beginPut = async (id: string, body: unknown): Promise<Begun> => {
    const definition = parseDefinition(body);
    const known = live.get(keyOf(id));
    if (known) refuseConflict(known.group, "put");
    const group = describeGroup(state, id, definition, known?.group);
    const one = known ?? newGroup(group, definition);
    one.definition = definition;
    live.set(keyOf(id), one);
    state.groups.set(keyOf(id), group);
    return { group, created: !known, done: operate(one, context, replace) };
  };
  const finish = async (id: string, action: GroupAction) => {
    const { done } = await begin(id, action);
    await done;
  };
  return {
    begin,
    beginPut,
    async put(id, body) {
      const { group, done } = await beginPut(id, body);
      await done;
      const { failure } = live.get(keyOf(id)) ?? {};
      if (failure) throw new Error(`container group ${id} failed`, { cause: failure });
      return group;
    },
    get: (id) => state.groups.get(keyOf(id)),
    list: (scope) => [...state.groups.values()].filter(({ id }) => keyOf(id).startsWith(`${keyOf(scope)}/`)),
    delete: (id) => finish(id, "delete"),
    restart: (id) => finish(id, "restart"),
    start: (id) => finish(id, "start"),
    stop: (id) => finish(id, "stop"),
    async close() {
      closing.abort();
      await Promise.all([...live.values()].map((one) => one.work.then(() => stop(one))));
    },
  };
}

/** Runs `work` as the group's one operation: until it is over, all others get a 409. */
async function operate(one: Live, context: Context, work: Work): Promise<void> {
  const { group } = one;
  group.provisioningState = "Pending";
  one.failure = undefined;
  const perform = async () => {
    try {
      await pause(context);
      await work(one, context);
      await pause(context);
      group.provisioningState = "Succeeded";
    } catch (error) {
      one.failure = error;
      group.provisioningState = "Failed";
    }
  };
  one.work = perform();
  await one.work;
}

async function pause({ state, options, closing }: Context): Promise<void> {
  if (options.operationTime) await state.clock.sleep(options.operationTime / 2, closing);
}

/** In place: all containers end, then all start again, with the same definition and the same volumes. */
async function restart(one: Live, context: Context): Promise<void> {
  const running = one.running.splice(0);
  await Promise.all(running.map((supervision) => supervision.stop()));
  await start(one, context);
}

async function replace(one: Live, context: Context): Promise<void> {
  await stop(one);
  await start(one, context);
}

async function remove(one: Live, { state, live }: Context): Promise<void> {
  await stop(one);
  removeSystemAssigned(state, one.group.id);
  live.delete(keyOf(one.group.id));
  state.groups.delete(keyOf(one.group.id));
}

async function stop(one: Live): Promise<void> {
  const { running, volumes } = one;
  one.running = [];
  one.volumes = undefined;
  await Promise.all(running.map((supervision) => supervision.stop()));
  await volumes?.remove();
  one.group.state = "Stopped";
}

/** Nothing to do for a group that runs. */
async function start(one: Live, context: Context): Promise<void> {
  const { options, closing, state } = context;
  const { group, definition } = one;
  if (one.running.length > 0) return;
  const platform = await platformEnvironment(group, context);
  const volumes = (one.volumes ??= await createVolumes(definition.properties.volumes));
  closing.throwIfAborted();
  const { restartPolicy: policy } = definition.properties;
  one.running = definition.properties.containers.flatMap((container) => {
    const known = group.containers.find(({ name }) => name === container.name);
    if (!known) return [];
    const env = { ...platform, ...volumes.environmentOf(container), ...declaredEnvironment(container) };
    return supervise(known, {
      spec: { command: commandOf(container, options), env, cwd: options.cwd ?? process.cwd() },
      policy,
      run: options.run,
      clock: state.clock,
      backOff: options.backOff ?? { first: 200, most: 2_000 },
      grace: options.grace ?? 5_000,
      changed: () => {
        group.state = groupStateOf(group.containers, policy);
      },
    });
  });
}

/** What every container finds: a path on which `node` is ours, and how to get tokens for the group's identities. */
async function platformEnvironment(
  { id, identity }: GroupState,
  { state, options }: Context,
): Promise<Record<string, string>> {
  const PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  const principalIds = identity?.principalIds ?? [];
  if (principalIds.length === 0) return { PATH };
  const systemAssigned = systemAssignedIdentity(state, id)?.principalId;
  return { PATH, ...(await options.environmentFor(principalIds, systemAssigned)) };
}

function declaredEnvironment({ properties }: ContainerDefinition): Record<string, string> {
  return Object.fromEntries(
    properties.environmentVariables.map(({ name, value, secureValue }) => [name, secureValue ?? value ?? ""]),
  );
}

function commandOf(
  { properties }: ContainerDefinition,
  { images }: ContainersOptions,
): ProcessSpec["command"] {
  const words = properties.command.length > 0 ? properties.command : images?.[properties.image];
  const [program, ...args] = words ?? [];
  return program ? [program, ...args] : [process.execPath, "--eval", "setInterval(() => {}, 2 ** 30)"];
}

function newGroup(group: GroupState, definition: GroupDefinition): Live {
  return { group, definition, running: [], volumes: undefined, work: Promise.resolve(), failure: undefined };
}

function keyOf(id: string): string {
  return id.toLowerCase().replace(/\/$/, "");
}
