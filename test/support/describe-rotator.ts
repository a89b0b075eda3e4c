import { describe, expect, test } from "vitest";
import { toFault } from "../../src/errors.ts";
import { cryptoRandomInt } from "../../src/providers/passwords.ts";
import type { BoundRotator, Credential, Providers, Rotator } from "../../src/rotators/rotator.ts";
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

  describe(title, () => {
    test("a target with an unknown field is refused", async () => {
      const target = await rotatorCase.target();
      expect(() => rotator.on({ ...target, surprise: 1 })).toThrow(/surprise/);
    });

    test("each slot has its own line of ownership, and single means one slot", async () => {
      const bound = await bind();
      expect(new Set(bound.owns).size).toBe(bound.slots.length);
      if (bound.overlap === "single") expect(bound.slots).toHaveLength(1);
    });

    test("choosing twice for a slot gives two values, both for that slot", async () => {
      const bound = await bind();
      const [one, two] = [chosen(bound), chosen(bound)];
      expect([one.id, two.id]).toEqual([slotsOf(bound)[0], slotsOf(bound)[0]]);
      expect(one.value.equals(two.value)).toBe(false);
    });

    test("applying twice leaves one credential that is accepted and verifies", async () => {
      const bound = await bind();
      const credential = chosen(bound);
      await bound.apply(credential, context());
      const before = await bound.look([credential], context());
      await bound.apply(credential, context());
      expect(await bound.look([credential], context())).toEqual(before);
      expect(before.accepts).toEqual(["accepted"]);
      await expect(bound.verify(credential, context())).resolves.toBeUndefined();
    });

    checked("the outgoing credential survives exactly if both may overlap", async () => {
      const bound = await bind();
      const { outgoing, incoming } = await takeTurns(bound, context());
      const { accepts } = await bound.look([outgoing, incoming], context());
      expect(accepts).toEqual([bound.overlap === "dual" ? "accepted" : "refused", "accepted"]);
    });

    checked("a wrong value is refused, does not verify, and looking at it changes nothing", async () => {
      const bound = await bind();
      const credential = chosen(bound);
      await bound.apply(credential, context());
      const wrong = { id: credential.id, value: chosen(bound).value };
      const { accepts } = await bound.look([wrong, credential], context());
      expect(accepts).toEqual(["refused", "accepted"]);
      await expect(bound.verify(wrong, context())).rejects.toMatchObject({ code: "credential-rejected" });
      await expect(bound.verify(credential, context())).resolves.toBeUndefined();
    });

    checked(
      "revoking hits exactly one credential, may be repeated, and the next turn brings it back",
      async () => {
        const bound = await bind();
        const { outgoing, incoming } = await takeTurns(bound, context());
        await bound.revoke(outgoing.id, context());
        await bound.revoke(outgoing.id, context());
        const { accepts } = await bound.look([outgoing, incoming], context());
        expect(accepts).toEqual(["refused", bound.overlap === "dual" ? "accepted" : "refused"]);
        await bound.apply(outgoing, context());
        await expect(bound.verify(outgoing, context())).resolves.toBeUndefined();
      },
    );

    checked("only credentials of the policy are changed", async () => {
      const bound = await bind();
      const foreign = { id: "somebody_else", value: chosen(bound).value };
      await expect(bound.apply(foreign, context())).rejects.toMatchObject({ code: "slot-unknown" });
      await expect(bound.revoke(foreign.id, context())).rejects.toMatchObject({ code: "slot-unknown" });
      expect((await bound.look([foreign], context())).accepts).toEqual(["unknown"]);
    });

    checked("an aborted signal stops every act before it has an effect", async () => {
      const bound = await bind();
      const credential = chosen(bound);
      await bound.apply(credential, context());
      const next = { id: credential.id, value: chosen(bound).value };
      const stopped = context(AbortSignal.abort());
      const acts = await Promise.allSettled([
        bound.apply(next, stopped),
        bound.verify(credential, stopped),
        bound.revoke(credential.id, stopped),
        bound.look([credential], stopped),
      ]);
      for (const act of acts)
        expect(act).toMatchObject({ status: "rejected", reason: { code: "cancelled" } });
      expect((await bound.look([credential], context())).accepts).toEqual(["accepted"]);
    });

    test("no value appears in errors or in anything that was written down", async () => {
      const bound = await bind();
      const { outgoing, incoming } = await takeTurns(bound, context());
      const wrong = { id: incoming.id, value: chosen(bound).value };
      const foreign = { id: "somebody_else", value: wrong.value };
      await bound.look([outgoing, incoming, wrong], context());
      const errors = await failures([
        bound.verify(wrong, context()),
        bound.apply(foreign, context()),
        bound.apply(incoming, context(AbortSignal.abort())),
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
async function takeTurns(bound: BoundRotator, context: Parameters<BoundRotator["apply"]>[1]) {
  const [outgoing, incoming] = [chosen(bound, 0), chosen(bound, 1)];
  await bound.apply(outgoing, context);
  await bound.apply(incoming, context);
  return { outgoing, incoming };
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
