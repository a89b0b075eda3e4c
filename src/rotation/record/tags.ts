import { z } from "zod";
import type { Timestamp } from "../../clock.ts";

/** What keyturn writes on versions of a secret. Tags can be read by anyone with list permission: ids and times only. */
const tag = {
  /** Id of the rotation that made this version. */
  rotation: "keyturn-rotation",
  /** The version it replaced. */
  from: "keyturn-from",
  /** Id of the credential in it. */
  credential: "keyturn-credential",
  /** On a roll-back: the version whose value it brings back. */
  restores: "keyturn-restores",
  /** Number and digest of the group ids found when it was published. */
  dependents: "keyturn-dependents",
  /** `parked`, `published`, `retired` or `revoked`; saves reads, decides nothing alone. */
  state: "keyturn-state",
  /** Somebody or something asked for a rotation of this version. */
  intent: "keyturn-intent",
  /** Not before a time, or quarantined. */
  hold: "keyturn-hold",
} as const;

const prefix = "keyturn-";

/**
 * `compromised`: every value known at the request is leaked. `roll`: nothing is rotated, but the dependents are to be
 * moved onto this version, which somebody else wrote. `rolling-back`: this version is to be replaced by the one before.
 */
export const Mode = z.enum(["routine", "compromised", "roll", "rolling-back"]);

export type Mode = z.infer<typeof Mode>;

interface Intent {
  readonly mode: Mode;
  readonly requestId: string;
  readonly at: Timestamp;
}

/** What keeps a secret from being rotated by itself, and what has been counted. */
export interface Hold {
  /** Automatic triggers wait until then; a person may override. */
  readonly notBefore?: Timestamp;
  /** Why it was given up: only `keyturn resolve` goes on. */
  readonly quarantined?: string;
  /** How often a step of this rotation (on latest), or this candidate (on the parked copy), was refused. */
  readonly failures?: number;
  /** The rotation that made this version was asked for because of a leak: the old credential goes as soon as it can. */
  readonly leaked?: boolean;
  /** Short names of the groups that a person has confirmed, whatever their containers show. */
  readonly waived?: readonly string[];
}

/** `retired`: the rotation that made this version is closed. `revoked`: its own credential is dead, and it is disabled. */
const states = ["parked", "published", "retired", "revoked"] as const;

type State = (typeof states)[number];

/** The tags of one version, read. What is absent or malformed is `undefined`: a tag is a claim, not a fact. */
export interface VersionRecord {
  readonly rotation?: string;
  readonly from?: string;
  readonly credential?: string;
  readonly restores?: string;
  readonly dependents?: string;
  readonly state?: State;
  readonly intent?: Intent;
  readonly hold?: Hold;
}

const Record = z.object({
  [tag.rotation]: z
    .string()
    .regex(/^r-[a-z2-7]{26}$/)
    .optional()
    .catch(undefined),
  [tag.from]: z
    .string()
    .regex(/^[0-9a-f]{32}$/i)
    .optional()
    .catch(undefined),
  [tag.credential]: z.string().max(256).optional().catch(undefined),
  [tag.restores]: z
    .string()
    .regex(/^[0-9a-f]{32}$/i)
    .optional()
    .catch(undefined),
  [tag.dependents]: z.string().max(128).optional().catch(undefined),
  [tag.state]: z.enum(states).optional().catch(undefined),
  [tag.intent]: z.string().transform(readIntent).optional().catch(undefined),
  [tag.hold]: z.string().transform(readHold).optional().catch(undefined),
});

export function readRecord(tags: Readonly<Record<string, string>>): VersionRecord {
  const read = Record.parse(tags);
  return {
    rotation: read[tag.rotation],
    from: read[tag.from],
    credential: read[tag.credential],
    restores: read[tag.restores],
    dependents: read[tag.dependents],
    state: read[tag.state],
    intent: read[tag.intent],
    hold: read[tag.hold],
  };
}

/** The tags of a new version: everybody else's carried forward, ours as given. */
export function writeRecord(
  tags: Readonly<Record<string, string>>,
  record: VersionRecord,
): Record<string, string> {
  const ours = {
    [tag.rotation]: record.rotation,
    [tag.from]: record.from,
    [tag.credential]: record.credential,
    [tag.restores]: record.restores,
    [tag.dependents]: record.dependents,
    [tag.state]: record.state,
    [tag.intent]: record.intent && writeIntent(record.intent),
    [tag.hold]: record.hold && writeHold(record.hold),
  };
  const set = Object.entries(ours).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...withoutRecord(tags), ...Object.fromEntries(set) };
}

function withoutRecord(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([name]) => !name.startsWith(prefix)));
}

function writeIntent({ mode, requestId, at }: Intent): string {
  return `${mode} ${requestId} ${new Date(at).toISOString()}`;
}

function readIntent(text: string): Intent | undefined {
  const [mode, requestId, at] = text.split(" ");
  const known = Mode.safeParse(mode);
  const time = Date.parse(at ?? "");
  if (!known.success || !requestId || Number.isNaN(time)) return undefined;
  return { mode: known.data, requestId, at: time };
}

/** `not-before=2026-11-22T00:00:00.000Z failures=2`: words separated by blanks, in any order. */
function writeHold({ notBefore, quarantined, failures, leaked, waived = [] }: Hold): string | undefined {
  const words = [
    notBefore !== undefined && `not-before=${new Date(notBefore).toISOString()}`,
    quarantined !== undefined && `quarantined=${quarantined}`,
    failures !== undefined && failures > 0 && `failures=${failures}`,
    leaked && "leaked=yes",
    waived.length > 0 && `waived=${waived.join(",")}`,
  ].filter((word) => typeof word === "string");
  return words.length > 0 ? words.join(" ") : undefined;
}

function readHold(text: string): Hold {
  const words = new Map(text.split(" ").map((word) => [word.split("=")[0], word.split("=")[1] ?? ""]));
  const notBefore = Date.parse(words.get("not-before") ?? "");
  const failures = Number.parseInt(words.get("failures") ?? "", 10);
  const quarantined = words.get("quarantined");
  const waived = (words.get("waived") ?? "").split(",").filter((name) => /^[0-9a-f]{12}$/.test(name));
  return {
    ...(Number.isNaN(notBefore) ? {} : { notBefore }),
    ...(Number.isNaN(failures) ? {} : { failures }),
    ...(quarantined ? { quarantined } : {}),
    ...(words.get("leaked") === "yes" ? { leaked: true } : {}),
    ...(waived.length > 0 ? { waived } : {}),
  };
}
