import type { z } from "zod";
import type { Millis, Timestamp } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { AzureKeys } from "../providers/azure-keys/azure-keys.ts";
import type { SasGrant, SignSas } from "../providers/azure-keys/storage-sas.ts";
import type { RandomInt } from "../providers/password/generate.ts";
import type { HttpEndpoint } from "../providers/http/client.ts";
import type { MariaDb } from "../providers/mysql/client.ts";
import type { Postgres } from "../providers/postgres/client.ts";
import type { CloudName } from "../azure/clouds.ts";
import type { Graph } from "../azure/graph/graph.ts";
import type { SecretValue } from "../secret-value.ts";

/** What a provider accepts. The id is not secret: a role name, a key name, a key id. */
export interface Credential {
  /** `""`: not told by the secret's text; the provider knows. */
  readonly id: string;
  readonly value: SecretValue;
}

/** `unknown` = the provider could not be asked in a way that settles it; nothing may be concluded from it. */
export type Acceptance = "accepted" | "rejected" | "unknown";

/** What `look` saw at the provider. */
export interface RotatorObservation {
  /** Ids of the credentials that exist there, live or not. */
  readonly exists: readonly string[];
  /** For each credential asked about, in the same order. */
  readonly accepts: readonly Acceptance[];
  /** For each asked about without an id: the id the provider has it under, found by comparing values. */
  readonly ids?: readonly (string | undefined)[];
  /** Ids of credentials that our own minting left behind an hour ago or more and nobody asked about: nobody holds them. */
  readonly orphans?: readonly string[];
}

/** What a minted credential is made for. */
interface Minting {
  /** `""` where there are no slots. */
  readonly slot: string;
  /** `keyturn:<vault>/<name>:<rotation>`, by which ours are known at the provider; where it has room for a name. */
  readonly label: string;
  /** When the new version will expire. */
  readonly expiresAt: Timestamp;
}

/** The systems a rotator may talk to; built in `src/main.ts`. */
export interface Providers {
  readonly postgres: Postgres;
  readonly mariadb: MariaDb;
  readonly http: HttpEndpoint;
  readonly azureKeys: AzureKeys;
  readonly graph: Graph;
}

export type { SasGrant };

export interface RotatorContext {
  readonly providers: Providers;
  readonly now: Timestamp;
  readonly signal: AbortSignal;
  /** `keyturn:<vault>/<name>`: what our names at the provider begin with for the secret that is looked at. */
  readonly label?: string;
}

/**
 * What one kind of provider needs to be rotated. `T` is its target as the policy writes it. A rotator keeps no state
 * and decides nothing: it looks and acts on one target, and each act may be repeated. It throws only `Fault`s.
 */
export type RotatorDefinition<T> = Common<T> & (Chosen<T> | Minted<T>);

/** We make the value: it is parked before the provider hears of it. */
interface Chosen<T> {
  readonly origin: "chosen";
  /** Makes a value for a slot (`""` without slots). Pure but for `random`. */
  choose(target: T, slot: string, random: RandomInt): Credential;
  /** Makes the provider accept this credential; repeating it is harmless. */
  apply(target: T, credential: Credential, context: RotatorContext): Promise<void>;
}

/** The provider makes the value: it is parked right after. */
interface Minted<T> {
  readonly origin: "minted";
  /** Makes a new credential in a slot that is not in use, or beside the others. Never touches another one. */
  mint(target: T, minting: Minting, context: RotatorContext): Promise<Credential>;
}

interface Common<T> {
  /** Its name in the policy. */
  readonly id: string;
  /** One line for `keyturn --help` and the documentation. */
  readonly summary: string;
  readonly target: z.ZodType<T>;
  /** How long the provider may take until a new credential works everywhere. */
  readonly propagation: Millis | ((target: T) => Millis);
  /** The least rights keyturn's identity needs at the provider, for documentation and `doctor`. */
  readonly roles: readonly string[];
  /** Whether old and new credential are accepted together. */
  overlap(target: T): "dual" | "single";
  /** Ids of the credentials that take turns; one for `single`; empty if there is no provider. */
  slots(target: T): readonly string[];
  /** What the target owns at its provider, one line per credential, so that no two secrets share one. */
  owns(target: T): readonly string[];
  /** The secret's text when the policy gives no `value`: a template over `fields`. */
  readonly template: string | ((target: T) => string);
  /** Names usable in a template besides `{password}`; those that follow from target, credential id and cloud. */
  fields(target: T, credentialId: string, cloud: CloudName): Readonly<Record<string, string>>;
  /** Signs with a credential of this target, for secrets derived from it; absent or `undefined` where nothing is signed. */
  signs?(target: T): SignSas | undefined;
  /** Which credentials exist, and which of the known ones are accepted. Changes nothing. */
  observe(target: T, known: readonly Credential[], context: RotatorContext): Promise<RotatorObservation>;
  /** Proves by real use that it works. @throws Fault `credential-rejected`, or `propagation-pending` while it may still spread */
  verify(target: T, credential: Credential, context: RotatorContext): Promise<void>;
  /** Makes the provider refuse the credential with this id; success if it already does. */
  revoke(target: T, credentialId: string, context: RotatorContext): Promise<void>;
}

/** A rotator on one target: what the pipeline works with. Same methods, target already given. */
export interface BoundRotator {
  readonly id: string;
  readonly origin: "chosen" | "minted";
  readonly propagation: Millis;
  readonly overlap: "dual" | "single";
  readonly slots: readonly string[];
  readonly owns: readonly string[];
  readonly template: string;
  /** Absent: nothing can be signed with its credentials. */
  readonly signs?: SignSas | undefined;
  fields(credentialId: string): Readonly<Record<string, string>>;
  choose(slot: string, random: RandomInt): Credential;
  observe(known: readonly Credential[], context: RotatorContext): Promise<RotatorObservation>;
  apply(credential: Credential, context: RotatorContext): Promise<void>;
  mint(minting: Minting, context: RotatorContext): Promise<Credential>;
  verify(credential: Credential, context: RotatorContext): Promise<void>;
  revoke(credentialId: string, context: RotatorContext): Promise<void>;
}

/** A rotator of the registry: its target type is hidden behind `on`. */
export interface Rotator {
  readonly id: string;
  readonly summary: string;
  readonly roles: readonly string[];
  readonly target: z.ZodType;
  /** Binds to a target as the policy writes it. @throws ZodError if the target does not fit the schema */
  on(target: unknown, cloud?: CloudName): BoundRotator;
}

export function defineRotator<T>(rotator: RotatorDefinition<T>): Rotator {
  const { id, summary, roles, target: schema } = rotator;
  return {
    id,
    summary,
    roles,
    target: schema,
    on: (raw, cloud = "public") => bind(rotator, schema.parse(raw), cloud),
  };
}

function bind<T>(rotator: RotatorDefinition<T>, target: T, cloud: CloudName): BoundRotator {
  const { propagation, template } = rotator;
  return {
    id: rotator.id,
    origin: rotator.origin,
    propagation: typeof propagation === "function" ? propagation(target) : propagation,
    template: typeof template === "function" ? template(target) : template,
    overlap: rotator.overlap(target),
    slots: rotator.slots(target),
    owns: rotator.owns(target),
    signs: rotator.signs?.(target),
    fields: (credentialId) => rotator.fields(target, credentialId, cloud),
    ...makingOf(rotator, target),
    observe: (known, context) => rotator.observe(target, known, context),
    verify: (credential, context) => rotator.verify(target, credential, context),
    revoke: (credentialId, context) => rotator.revoke(target, credentialId, context),
  };
}

/** What the other origin does is never asked of this one: the decision knows the origin. */
function makingOf<T>(
  rotator: RotatorDefinition<T>,
  target: T,
): Pick<BoundRotator, "choose" | "apply" | "mint"> {
  const never = (what: string) => () => {
    throw new Fault("internal-error", `the rotator ${rotator.id} does not ${what}`);
  };
  if (rotator.origin === "minted") {
    const mint: BoundRotator["mint"] = (minting, context) => rotator.mint(target, minting, context);
    return { choose: never("choose"), apply: never("apply"), mint };
  }
  return {
    choose: (slot, random) => rotator.choose(target, slot, random),
    apply: (credential, context) => rotator.apply(target, credential, context),
    mint: never("mint"),
  };
}
