import { readRecord } from "../../src/rotation/record/tags.ts";
import type { SecretVersionState } from "../local-azure/state.ts";
import type { Process } from "./process.ts";
import type { DerivedSecret, Scenario } from "./scenarios/scenario.ts";
import { type DerivedSnapshot, isAccepted, latest, missing, type Snapshot } from "./snapshot.ts";

export interface Change {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly process: Process;
  readonly scenario: Scenario;
  readonly overlap: number;
}

type Rule = (change: Change) => string | false | undefined;

/**
 * What no call of a worker may ever do to the world, whatever else happens. Each says what was broken. What the project
 * promises, and where it is checked:
 *
 * | promise | checked |
 * |---|---|
 * | latest is accepted at all times, where two credentials overlap | rule 1 |
 * | with a single one, latest or a durable candidate is; the gap is short, and the first recovery closes it | rule 2; "the gap that a single credential has", deaths.test.ts |
 * | no value is set at a provider before it is durable in Key Vault | rule 3 |
 * | nothing is published before it was verified | rule 4 |
 * | the old credential is revoked after all dependents are confirmed and the overlap has passed | rule 5 |
 * | of two keys, the one in use is never regenerated | rules 1 and 5 |
 * | at most three live credentials of ours; no orphan after a deep sweep | rule 6; leftovers.ts |
 * | after a roll-back latest is the value before, and it is accepted | rule 11; leftovers.ts |
 * | a rotation never shortens the time to expiry, and says where its version comes from | rule 7 |
 * | what was disabled by hand is never resurrected | rule 8; "latest is disabled" among the model's commands |
 * | no message is completed before its job is durable | world.ts, at each completion; killed Redis: test/flow/crash.flow.test.ts |
 * | every trigger ends in a terminal record | leftovers.ts: nothing is open or queued at the end |
 * | copies of one event make one rotation | "several copies of every event", deaths.test.ts |
 * | an event of an old version does nothing | "an event of an old version comes" among the model's commands |
 * | losing all of Redis loses no rotation | every position with `!` in a replay's name |
 * | any number of deaths in a row leaves the work resumable | "any number of workers", deaths.test.ts |
 * | a process dies in no state that nobody has thought of | stages.ts, at each death |
 */
const rules: Readonly<Record<string, Rule>> = {
  "an accepted latest stays accepted"({ before, after, scenario }) {
    if (scenario.overlap !== "dual" || !isAccepted(before, latest(before))) return false;
    const now = latest(after);
    return now?.enabled && !isAccepted(after, now) && "the provider accepted latest, and now it does not";
  },

  "with a single credential, latest or the candidate stays accepted"({ before, after, scenario }) {
    if (scenario.overlap !== "single" || !usable(before)) return false;
    return !usable(after) && "neither latest nor the candidate is accepted any more";
  },

  "nothing is set at the provider that is not durable"({ before, after, scenario }) {
    if (scenario.origin === "minted") return false;
    const durable = new Set([...after.versions, ...after.pending].map(({ value }) => value));
    return (
      missing(after.live, before.live).some((text) => !durable.has(text)) && "a value exists nowhere else"
    );
  },

  "what is published works and was verified"({ after, process, ...change }) {
    const made = published({ after, ...change });
    if (!made) return false;
    if (!isAccepted(after, made)) return "the provider refuses the version that was published";
    const { verified } = process;
    // What is brought back was published before, and the look has just seen the provider accept it.
    if (readRecord(made.tags).restores) return false;
    return ![...verified].some((value) => made.value.includes(value)) && "it was published without a proof";
  },

  "a credential that somebody still needs is never revoked"({ before, after, scenario, overlap }) {
    const revoked = missing(before.live, after.live);
    if (scenario.overlap !== "dual" || revoked.length === 0) return false;
    if (isLeaked(after)) return false;
    const holder = [...after.held].find(([, { text }]) => revoked.includes(text));
    if (holder) return `${holder[0]} still runs on the credential that was revoked`;
    // Nobody is to run any longer than needed on a value that was taken back.
    const isBack = readRecord(latest(after)?.tags ?? {}).restores !== undefined;
    const wasLatest = !isBack && after.versions.some(({ value }) => revoked.includes(value));
    const since = (latest(after)?.created ?? 0) * 1000;
    return (
      wasLatest && after.now < since + overlap && "the old credential was revoked before the overlap passed"
    );
  },

  "live credentials are bounded"({ before, after }) {
    const [was, is] = [before.live?.size ?? 0, after.live?.size ?? 0];
    return is > Math.max(was, 3) && `${is} credentials are live`;
  },

  "a new version never lives shorter and says where it comes from"(change) {
    const made = published(change);
    if (!made) return false;
    if (made.exp === undefined) return "a version without expiry was published";
    const { rotation, from, restores } = readRecord(made.tags);
    // What the same rotation published before differs by the moment at which it was sent.
    const old = change.before.versions.findLast(({ tags }) => readRecord(tags).rotation !== rotation);
    if (old?.exp !== undefined && made.exp < old.exp && !restores) return "the expiry was shortened";
    return (!rotation || !from) && "a version without record was published";
  },

  "what was disabled stays disabled"({ before, after }) {
    const old = new Map(before.versions.map((version) => [version.version, version]));
    const revived = after.versions.some(
      ({ version, enabled }) => enabled && old.get(version)?.enabled === false,
    );
    // Whoever knows that a value is leaked may disable it at once, and still wants another one; it may have to be read
    // once more, to be revoked.
    if (revived && !isLeaked(after)) return "a disabled version was enabled again";
    return (
      latest(before)?.enabled === false &&
      !isLeaked(before) &&
      published({ before, after }) &&
      "a disabled secret was written anew"
    );
  },

  "latest is never disabled, and no version's expiry or value is edited"({ before, after }) {
    const now = latest(after);
    const known = new Map(before.versions.map((version) => [version.version, version]));
    if (now && !now.enabled && known.get(now.version)?.enabled) return "latest was disabled";
    const edited = after.versions.find(({ version, exp, value }) => {
      const old = known.get(version);
      return old && (old.exp !== exp || old.value !== value);
    });
    return edited && `version ${edited.version} was edited`;
  },

  "a rotation publishes one value"({ scenario, ...change }) {
    const made = published(change);
    if (!made || scenario.origin === "minted") return false;
    const { rotation } = readRecord(made.tags);
    const other = change.before.versions.find(
      ({ version, tags, value }) =>
        !change.before.byHand.has(version) && readRecord(tags).rotation === rotation && value !== made.value,
    );
    return other && `${rotation} published more than one value`;
  },

  "a rotation that is taken back brings back the value before it"(change) {
    const made = published(change);
    const restores = made && readRecord(made.tags).restores;
    if (!restores) return false;
    const source = change.before.versions.find(({ version }) => version === restores);
    return source?.value !== made.value && "another value than that of the version it names was brought back";
  },
};

/** Of a secret that is derived from the one that is rotated. */
interface DerivedChange {
  readonly change: Change;
  readonly derived: DerivedSecret;
  readonly before: DerivedSnapshot;
  readonly after: DerivedSnapshot;
}

type DerivedRule = (change: DerivedChange) => string | false | undefined;

const derivedRules: Readonly<Record<string, DerivedRule>> = {
  "a derived text follows from a version of its parent"({ change, derived, before, after }) {
    const made = published({ before, after });
    const follows = (parent: SecretVersionState) =>
      derived.textFrom(parent.value, parent.exp) === made?.value && parent.exp === made.exp;
    return made && !change.after.versions.some(follows) && "it follows from none";
  },

  "an accepted derived text stays accepted as long as it is latest or somebody runs on it"(seen) {
    const { change, before, after } = seen;
    const revoked = missing(before.live, after.live);
    if (change.scenario.overlap !== "dual" || revoked.length === 0) return false;
    const now = latest(after);
    if (now && revoked.includes(now.value)) return "the provider accepted latest, and now it does not";
    if (isLeaked(change.after)) return false;
    const holder = [...change.after.held].find(([, { text }]) => revoked.includes(text));
    return holder && `${holder[0]} still runs on the text that was revoked`;
  },

  "what is derived is disabled and edited as little as anything else"({ change, before, after }) {
    const seen = { ...change, before: { ...change.before, ...before }, after: { ...change.after, ...after } };
    return [...lastingRules].map((rule) => rules[rule]?.(seen)).find(Boolean);
  },
};

const lastingRules = [
  "what was disabled stays disabled",
  "latest is never disabled, and no version's expiry or value is edited",
] as const;

/** The names of all rules that this change breaks, with what was broken. */
export function broken(change: Change): string[] {
  const { before, after, scenario } = change;
  const found = Object.entries(rules).map(([name, rule]) => [name, rule(change)] as const);
  const inDerived = (scenario.derived ?? []).flatMap((derived, at) => {
    const [one, other] = [before.derived[at], after.derived[at]];
    if (!one || !other) return [];
    const seen = { change, derived, before: one, after: other };
    return Object.entries(derivedRules).map(([name, rule]) => [name, rule(seen)] as const);
  });
  return [...found, ...inDerived].flatMap(([name, what]) => (what ? [`"${name}": ${what}`] : []));
}

/** A leaked credential goes as soon as nothing needs it, and at the deadline whoever needs it. */
function isLeaked(seen: Snapshot): boolean {
  const { intent, hold } = readRecord(latest(seen)?.tags ?? {});
  return hold?.leaked === true || intent?.mode === "compromised";
}

type Published = Readonly<Record<"before" | "after", Pick<Snapshot, "versions">>>;

/** With a single credential, one of these is: latest, a candidate; on the way back, the value that comes back. */
function usable(seen: Snapshot): boolean {
  const now = latest(seen);
  const { intent, from } = readRecord(now?.tags ?? {});
  const old = intent?.mode === "rolling-back" && seen.versions.find(({ version }) => version === from);
  const candidates = seen.pending.filter(({ enabled }, at) => enabled || at === seen.pending.length - 1);
  return [now, ...candidates, old || undefined].some((version) => isAccepted(seen, version));
}

function published({ before, after }: Published): SecretVersionState | undefined {
  return after.versions.length > before.versions.length ? latest(after) : undefined;
}
