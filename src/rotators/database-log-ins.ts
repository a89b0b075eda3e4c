import { z } from "zod";
import { Fault, isFault } from "../errors.ts";
import type { DatabaseAddress } from "../providers/sql/address.ts";
import { alphabets, defaultLength, randomText } from "../providers/password/generate.ts";
import type { SecretValue } from "../secret-value.ts";
import {
  type Acceptance,
  type Credential,
  defineRotator,
  type Providers,
  type Rotator,
  type RotatorObservation,
} from "./rotator.ts";

export const HostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "a host name in lower case");

export const Port = z.int().min(1).max(65_535);

/** What all targets say that are log-ins with a password at a database server. */
export interface LogInTarget extends DatabaseAddress {
  /** The server's name for keyturn's managed identity. */
  readonly admin: string;
  /** End the sessions of a log-in when its password is retired. */
  readonly endSessions: boolean;
}

/** What such a server does for us, under whatever names its own client has for it. */
export interface LogIns {
  accepts(
    address: DatabaseAddress,
    name: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Those of `names` that exist, and whether they may log in at all, as far as `admin` can see. */
  find(
    address: DatabaseAddress,
    admin: string,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, { readonly login: boolean }>>;
  setPassword(
    address: DatabaseAddress,
    admin: string,
    name: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<void>;
  disable(
    address: DatabaseAddress,
    admin: string,
    name: string,
    options: { readonly endSessions: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  /** Tells what is missing and how to create it. */
  missing(address: DatabaseAddress, admin: string, name: string): Fault;
}

interface LogInRotator<T> {
  readonly id: string;
  readonly summary: string;
  readonly target: z.ZodType<T>;
  readonly roles: readonly string[];
  /** What the server calls a log-in: `role`, `account`. */
  readonly noun: string;
  /** Of the URL by which owners are compared. */
  readonly scheme: string;
  readonly names: (target: T) => readonly string[];
  readonly logIns: (providers: Providers) => LogIns;
}

/** One or two log-ins that take turns, so that the old password works until all dependents have the new one. */
export function pairOf<T extends z.ZodType<string>>(name: T, noun: string) {
  return z
    .array(name)
    .min(1)
    .max(2)
    .refine((names) => new Set(names).size === names.length, `two ${noun}s that take turns must differ`);
}

/** The password of a log-in at a database server, or of two that have the same rights, without downtime. */
export function defineLogInRotator<T extends LogInTarget>(rotator: LogInRotator<T>): Rotator {
  const { id, summary, target: schema, roles, names, logIns, scheme } = rotator;
  return defineRotator<T>({
    id,
    summary,
    target: schema,
    roles,
    origin: "chosen",
    // One statement changes the password: the next log-in sees it.
    propagation: 0,
    template: "{password}",
    overlap: (target) => (names(target).length === 2 ? "dual" : "single"),
    slots: names,
    owns: (target) => names(target).map((name) => `${scheme}://${place(target)}/${name}`),
    fields: ({ host, port, database }, credentialId) => ({
      username: credentialId,
      host,
      port: String(port),
      database,
    }),
    choose: (_target, slot, random) => ({
      id: slot,
      value: randomText(defaultLength, alphabets.unreserved, random),
    }),
    observe: (target, known, { providers, signal }) =>
      look(target, names(target), known, logIns(providers), signal),
    async apply(target, { id: name, value }, { providers, signal }) {
      assertOurs(rotator, target, name);
      await logIns(providers).setPassword(target, target.admin, name, value, signal);
    },
    async verify(target, credential, { providers, signal }) {
      assertOurs(rotator, target, credential.id);
      await verify(rotator, target, credential, logIns(providers), signal);
    },
    async revoke(target, name, { providers, signal }) {
      assertOurs(rotator, target, name);
      const { admin, endSessions } = target;
      try {
        await logIns(providers).disable(target, admin, name, { endSessions }, signal);
      } catch (error) {
        // A log-in that is gone lets nobody in.
        if (!isFault(error, "target-missing")) throw error;
      }
    },
  });
}

async function look(
  target: LogInTarget,
  names: readonly string[],
  known: readonly Credential[],
  server: LogIns,
  signal: AbortSignal,
): Promise<RotatorObservation> {
  const found = await server.find(target, target.admin, names, signal);
  const accepts: Acceptance[] = [];
  for (const { id, value } of known) {
    if (!names.includes(id)) accepts.push("unknown");
    else if (!found.get(id)?.login) accepts.push("rejected");
    else accepts.push((await server.accepts(target, id, value, signal)) ? "accepted" : "rejected");
  }
  return { exists: names.filter((name) => found.has(name)), accepts };
}

async function verify<T extends LogInTarget>(
  { noun }: LogInRotator<T>,
  target: T,
  { id, value }: Credential,
  server: LogIns,
  signal: AbortSignal,
): Promise<void> {
  if (await server.accepts(target, id, value, signal)) return;
  // The server answers alike for a wrong password and a missing log-in; the administrator may know which it is.
  const found = await server.find(target, target.admin, [id], signal);
  if (!found.has(id)) throw server.missing(target, target.admin, id);
  throw new Fault("credential-rejected", `${place(target)} refuses the password of ${noun} "${id}"`);
}

function assertOurs<T extends LogInTarget>({ names, noun }: LogInRotator<T>, target: T, id: string): void {
  if (!names(target).includes(id))
    throw new Fault("slot-unknown", `the policy names no ${noun} "${id}" at ${place(target)}`);
}

function place({ host, port }: DatabaseAddress): string {
  return `${host}:${port}`;
}
