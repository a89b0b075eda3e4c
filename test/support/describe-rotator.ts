import { describe, expect, test } from "vitest";
import { toFault } from "../../src/errors.ts";
import { alphabets, cryptoRandomInt, randomText } from "../../src/providers/password/generate.ts";
import type {
  BoundRotator,
  Credential,
  Providers,
  Rotator,
  RotatorContext,
} from "../../src/rotators/rotator.ts";
import { SecretValue } from "../../src/secret-value.ts";

export interface RotatorCase {
  readonly rotator: Rotator;
  /** As the policy writes it. Each test asks anew, so that it may name a fresh credential. */
  target(): Promise<Readonly<Record<string, unknown>>>;
  providers(): Providers;
  /** Set if no provider checks values: the reason why those promises cannot be kept. */
  readonly unchecked?: string;
  /** All that was written down so far besides errors: spans, the provider's log. */
  written(): Promise<string>;
}

/** What every rotator promises. A rotator's test hands itself over and adds only what is peculiar. */
export function describeRotator(title: string, rotatorCase: RotatorCase): void {
  const { rotator, unchecked } = rotatorCase;
  const context = (signal = new AbortController().signal) => ({
    providers: rotatorCase.providers(),
    now: Date.now(),
    signal,
  });
  const bind = async () => rotator.on(await rotatorCase.target());
  /** Promises that only a provider that checks values can show. */
  const checked = (promise: string, work: () => Promise<void>) =>
    test(promise, async ({ skip }) => {
      if (unchecked) skip(unchecked);
      await work();
    });

  /** Promises that only one kind of origin makes. */
  const from = (
    origin: BoundRotator["origin"],
    promise: string,
    work: (bound: BoundRotator) => Promise<void>,
  ) =>
    test(promise, async ({ skip }) => {
      const bound = await bind();
      if (bound.origin !== origin) skip(`its values are ${bound.origin}`);
      await work(bound);
    });

  describe(title, () => {
    test("a target with an unknown field is refused", async () => {
      const target = await rotatorCase.target();
      expect(() => rotator.on({ ...target, surprise: 1 })).toThrow(/surprise/);
    });

    test("each slot has its own line of ownership, and single means one slot", async () => {
      const bound = await bind();
      expect(new Set(bound.owns).size).toBe(bound.owns.length);
      if (bound.slots.length > 0) expect(bound.owns).toHaveLength(bound.slots.length);
      if (bound.overlap === "single") expect(bound.slots).toHaveLength(1);
    });

    from("chosen", "choosing twice for a slot gives two values, both for that slot", async (bound) => {
      const [one, two] = [chosen(bound), chosen(bound)];
      expect([one.id, two.id]).toEqual([slotsOf(bound)[0], slotsOf(bound)[0]]);
      expect(one.value.equals(two.value)).toBe(false);
    });

    from("chosen", "applying twice leaves one credential that is accepted and verifies", async (bound) => {
      const credential = chosen(bound);
      await bound.apply(credential, context());
      const before = await bound.observe([credential], context());
      await bound.apply(credential, context());
      expect(await bound.observe([credential], context())).toEqual(before);
      expect(before.accepts).toEqual(["accepted"]);
      await expect(bound.verify(credential, context())).resolves.toBeUndefined();
    });

    from("minted", "minting again makes another value and leaves the one in use alone", async (bound) => {
      const inUse = await make(bound, 0, context());
      const [lost, next] = [await make(bound, 1, context()), await make(bound, 1, context())];
      expect(lost.value.equals(next.value)).toBe(false);
      const { accepts, exists } = await bound.observe([inUse, next], context());
      expect(accepts).toEqual(["accepted", "accepted"]);
      expect(exists).toEqual(expect.arrayContaining([inUse.id, next.id]));
      await expect(bound.verify(next, context())).resolves.toBeUndefined();
    });

    from(
      "minted",
      "the provider tells under which id it has a value whose text does not say",
      async (bound) => {
        const [one, other] = [await make(bound, 0, context()), await make(bound, 1, context())];
        const anonymous = [other, one].map(({ value }) => ({ id: "", value }));
        expect((await bound.observe(anonymous, context())).ids).toEqual([other.id, one.id]);
      },
    );

    checked("the outgoing credential survives exactly if both may overlap", async () => {
      const bound = await bind();
      const { outgoing, incoming } = await takeTurns(bound, context());
      const { accepts } = await bound.observe([outgoing, incoming], context());
      expect(accepts).toEqual([bound.overlap === "dual" ? "accepted" : "rejected", "accepted"]);
    });

    checked("a wrong value is refused, does not verify, and looking at it changes nothing", async () => {
      const bound = await bind();
      const credential = await make(bound, 0, context());
      const wrong = { id: credential.id, value: madeUp() };
      const { accepts } = await bound.observe([wrong, credential], context());
      expect(accepts).toEqual(["rejected", "accepted"]);
      const code = expect.stringMatching(
        bound.propagation > 0 ? /^(credential-rejected|propagation-pending)$/ : /^credential-rejected$/,
      );
      await expect(bound.verify(wrong, context())).rejects.toMatchObject({ code });
      await expect(bound.verify(credential, context())).resolves.toBeUndefined();
    });

    checked(
      "revoking hits exactly one credential, may be repeated, and the next turn brings it back",
      async () => {
        const bound = await bind();
        const { outgoing, incoming } = await takeTurns(bound, context());
        await bound.revoke(outgoing.id, context());
        await bound.revoke(outgoing.id, context());
        const { accepts } = await bound.observe([outgoing, incoming], context());
        expect(accepts).toEqual(["rejected", bound.overlap === "dual" ? "accepted" : "rejected"]);
        const again = bound.origin === "chosen" ? outgoing : await make(bound, 0, context());
        if (bound.origin === "chosen") await bound.apply(again, context());
        await expect(bound.verify(again, context())).resolves.toBeUndefined();
      },
    );

    checked("only credentials of the policy are changed", async () => {
      const bound = await bind();
      const foreign = { id: "somebody_else", value: madeUp() };
      await expect(bound.revoke(foreign.id, context())).rejects.toMatchObject({ code: "slot-unknown" });
      if (bound.slots.length === 0) return;
      const act =
        bound.origin === "chosen" ? bound.apply(foreign, context()) : mint(bound, foreign.id, context());
      await expect(act).rejects.toMatchObject({ code: "slot-unknown" });
      expect((await bound.observe([foreign], context())).accepts).toEqual(["unknown"]);
    });

    checked("an aborted signal stops every act before it has an effect", async () => {
      const bound = await bind();
      const credential = await make(bound, 0, context());
      const stopped = context(AbortSignal.abort());
      const acts = await Promise.allSettled([
        make(bound, 0, stopped),
        bound.verify(credential, stopped),
        bound.revoke(credential.id, stopped),
        bound.observe([credential], stopped),
      ]);
      for (const act of acts)
        expect(act).toMatchObject({ status: "rejected", reason: { code: "cancelled" } });
      expect((await bound.observe([credential], context())).accepts).toEqual(["accepted"]);
    });

    test("no value appears in errors or in anything that was written down", async () => {
      const bound = await bind();
      const { outgoing, incoming } = await takeTurns(bound, context());
      const wrong = { id: incoming.id, value: madeUp() };
      const foreign = { id: "somebody_else", value: wrong.value };
      const stopped = context(AbortSignal.abort());
      await bound.observe([outgoing, incoming, wrong], context());
      const errors = await failures([
        bound.verify(wrong, context()),
        ...(bound.origin === "chosen"
          ? [bound.apply(foreign, context()), bound.apply(incoming, stopped)]
          : [mint(bound, foreign.id, stopped)]),
      ]);
      await bound.revoke(outgoing.id, context());
      const written = [await rotatorCase.written(), ...errors].join("\n");
      for (const { value } of [outgoing, incoming, wrong]) expect(leakOf(value, written)).toBeUndefined();
    });
  });
}

function slotsOf(bound: BoundRotator): readonly string[] {
  return bound.slots.length > 0 ? bound.slots : [""];
}

function chosen(bound: BoundRotator, turn = 0): Credential {
  const slots = slotsOf(bound);
  return bound.choose(slots[turn % slots.length] ?? "", cryptoRandomInt);
}

/** One credential in use, then the next one applied, as a rotation does. */
async function takeTurns(bound: BoundRotator, context: RotatorContext) {
  const outgoing = await make(bound, 0, context);
  return { outgoing, incoming: await make(bound, 1, context) };
}

/** A credential that the provider has, whoever makes its value. */
async function make(bound: BoundRotator, turn: number, context: RotatorContext): Promise<Credential> {
  const slots = slotsOf(bound);
  if (bound.origin === "minted") return await mint(bound, slots[turn % slots.length] ?? "", context);
  const credential = chosen(bound, turn);
  await bound.apply(credential, context);
  return credential;
}

function mint(bound: BoundRotator, slot: string, context: RotatorContext): Promise<Credential> {
  const expiresAt = context.now + 90 * 24 * 3600 * 1000;
  return bound.mint({ slot, label: `${suiteLabel}:r-aaaaaaaaaaaaaaaaaaaaaaaaaa`, expiresAt }, context);
}

/** What the suite mints for. */
export const suiteLabel = "keyturn:prod-kv/orders-db";

/** A value that no provider has. */
function madeUp(): SecretValue {
  return randomText(40, alphabets.unreserved, cryptoRandomInt);
}

/** Everything an error can show: message, code, stack, causes. */
async function failures(acts: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(acts);
  return results.flatMap((result) => {
    if (result.status === "fulfilled") return [];
    const fault = toFault(result.reason);
    return [JSON.stringify(fault), fault.message, String(fault.stack), String(fault.cause)];
  });
}

/** The first piece of a value, in any usual encoding, that stands in the text; eight characters are a leak. */
export function leakOf(value: SecretValue, text: string): string | undefined {
  const raw = value.reveal();
  const bytes = Buffer.from(raw);
  const encodings = [
    raw,
    encodeURIComponent(raw),
    ...(["hex", "base64"] as const).map((name) => bytes.toString(name)),
  ];
  const windows = encodings.flatMap((encoded) =>
    Array.from({ length: Math.max(encoded.length - 7, 1) }, (_, start) => encoded.slice(start, start + 8)),
  );
  return windows.find((window) => text.includes(window));
}
