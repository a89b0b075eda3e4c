import { describe, expect, test } from "vitest";
import { nextRestarts } from "../../src/rollout/next-restarts.ts";
import type { GroupFacts } from "../../src/dependents/group-facts.ts";
import type { Fleet } from "../../src/rollout/fleet.ts";
import type { Need } from "../../src/rollout/fleet.ts";

const rules = { maxUnavailable: 1, settle: 60_000, skew: 5_000, coalesce: 10_000 };
const publishedAt = 1_000_000;
const now = publishedAt + 20_000;

function need(group: string, change: Partial<Need> = {}): Need {
  return {
    group,
    secret: "kv/db",
    rotation: "r",
    publishedAt,
    restored: undefined,
    urgent: false,
    gate: true,
    after: [],
    ...change,
  };
}

function running(group: string, startedAt: number): GroupFacts {
  return { group, phase: "running", evidenceAt: startedAt, stableSince: startedAt };
}

function fleet(needs: Need[], groups: GroupFacts[], at = now): Fleet {
  return { now: at, needs, groups: new Map(groups.map((facts) => [facts.group.toLowerCase(), facts])) };
}

const old = publishedAt - 1_000_000;

test("one group after another is restarted, in the policy's order", () => {
  const needs = [need("/g/one"), need("/g/two")];
  const before = nextRestarts(fleet(needs, [running("/g/one", old), running("/g/two", old)]), rules);
  expect(before.restart).toEqual([
    { group: "/g/one", startedAfter: publishedAt + 5_000, secrets: ["kv/db"] },
  ]);
  const settling = nextRestarts(
    fleet(needs, [running("/g/one", now - 1_000), running("/g/two", old)]),
    rules,
  );
  expect(settling.restart).toEqual([]);
  expect(settling.again).toBe(now - 1_000 + 60_000);
  const later = now + 60_000;
  const next = nextRestarts(fleet(needs, [running("/g/one", now), running("/g/two", old)], later), rules);
  expect(next.restart.map(({ group }) => group)).toEqual(["/g/two"]);
  expect(next.unconfirmed).toEqual(["kv/db"]);
});

test("a group that started within the skew after the publish may have read the old value, and is restarted", () => {
  const within = fleet([need("/g/one")], [running("/g/one", publishedAt + 4_000)]);
  expect(nextRestarts(within, rules).restart).toHaveLength(1);
  const beyond = fleet([need("/g/one")], [running("/g/one", publishedAt + 5_001)]);
  expect(nextRestarts(beyond, rules).restart).toHaveLength(0);
});

test("nothing is restarted before publish and skew, or while others may still join the restart", () => {
  const early = fleet([need("/g/one")], [running("/g/one", old)], publishedAt + 1_000);
  expect(nextRestarts(early, rules)).toMatchObject({ restart: [], again: publishedAt + 10_000 });
  const joined = [need("/g/one"), need("/g/one", { secret: "kv/key", publishedAt: publishedAt + 18_000 })];
  const wait = nextRestarts(fleet(joined, [running("/g/one", old)]), rules);
  expect(wait).toMatchObject({ restart: [], again: publishedAt + 18_000 + 5_001 });
  const together = nextRestarts(fleet(joined, [running("/g/one", old)], now + 10_000), rules);
  expect(together.restart).toMatchObject([
    { secrets: ["kv/db", "kv/key"], startedAfter: publishedAt + 23_000 },
  ]);
});

test("a group that does not come back stops the roll", () => {
  const broken: GroupFacts = { group: "/g/one", phase: "unsettled", evidenceAt: now, stableSince: now };
  const stuck = nextRestarts(
    fleet([need("/g/one"), need("/g/two")], [broken, running("/g/two", old)]),
    rules,
  );
  expect(stuck).toMatchObject({ restart: [], again: undefined, unconfirmed: ["kv/db"] });
});

describe("groups that gate nothing", () => {
  const needs = [need("/g/one"), need("/g/found", { gate: false }), need("/g/other", { gate: false })];
  const down: GroupFacts = { group: "/g/found", phase: "unsettled", evidenceAt: now, stableSince: now };

  test("take no room from those that gate, and nobody is sent to watch them", () => {
    const facts = [running("/g/one", old), down, running("/g/other", old)];
    const { restart, watch } = nextRestarts(fleet(needs, facts), rules);
    expect(restart.map(({ group }) => group)).toEqual(["/g/one"]);
    expect(watch).toEqual([]);
  });

  test("are restarted only with the room that is left", () => {
    const restarted = (maxUnavailable: number, facts: GroupFacts[]) =>
      nextRestarts(fleet(needs, facts), { ...rules, maxUnavailable }).restart.map(({ group }) => group);
    const settling = [running("/g/one", now - 1), running("/g/found", old), running("/g/other", old)];
    expect(restarted(1, settling)).toEqual([]);
    expect(restarted(2, settling)).toEqual(["/g/found"]);
    const behind = [running("/g/one", old), down, running("/g/other", old)];
    expect(restarted(2, behind)).toEqual(["/g/one"]);
    expect(restarted(3, behind)).toEqual(["/g/one", "/g/other"]);
  });

  test("wait while what is urgent is restarted", () => {
    const urgent = [need("/g/one", { urgent: true }), need("/g/found", { gate: false }), need("/g/two")];
    const facts = [running("/g/one", old), running("/g/found", old), running("/g/two", old)];
    const { restart } = nextRestarts(fleet(urgent, facts), rules);
    expect(restart.map(({ group }) => group)).toEqual(["/g/one"]);
  });
});

describe("order", () => {
  const needs = [need("/g/one", { after: ["/g/two"] }), need("/g/two")];

  test("a group waits for those that go before it", () => {
    const both = nextRestarts(fleet(needs, [running("/g/one", old), running("/g/two", old)]), rules);
    expect(both.restart.map(({ group }) => group)).toEqual(["/g/two"]);
  });

  test("a group that is gone or stopped holds up nobody and counts as confirmed", () => {
    const gone: GroupFacts = {
      group: "/g/two",
      phase: "gone",
      evidenceAt: undefined,
      stableSince: undefined,
    };
    const next = nextRestarts(fleet(needs, [running("/g/one", old), gone]), rules);
    expect(next.restart.map(({ group }) => group)).toEqual(["/g/one"]);
    const only = nextRestarts(fleet([need("/g/two")], [gone]), rules);
    expect(only).toMatchObject({ restart: [], again: undefined, confirmed: ["kv/db"], unconfirmed: [] });
  });

  test("groups that gate nothing come last, and do not hold up the retirement", () => {
    const mixed = [need("/g/found", { gate: false }), need("/g/one")];
    const facts = [running("/g/found", old), running("/g/one", old)];
    expect(nextRestarts(fleet(mixed, facts), rules).restart.map(({ group }) => group)).toEqual(["/g/one"]);
    const after = fleet(mixed, [running("/g/found", old), running("/g/one", now)], now + 60_000);
    expect(nextRestarts(after, rules)).toMatchObject({
      confirmed: ["kv/db"],
      restart: [{ group: "/g/found" }],
    });
  });
});

test("a group that is not up is watched, whoever restarted it, and blocks the others", () => {
  const down: GroupFacts = {
    group: "/g/one",
    phase: "unsettled",
    evidenceAt: undefined,
    stableSince: undefined,
  };
  const needs = [need("/g/one"), need("/g/two")];
  const decision = nextRestarts(fleet(needs, [down, running("/g/two", old)]), rules);
  expect(decision.restart).toEqual([]);
  expect(decision.watch).toEqual([
    { group: "/g/one", startedAfter: publishedAt + 5_000, secrets: ["kv/db"] },
  ]);
  expect(nextRestarts(fleet([need("/g/lost")], []), rules).watch).toEqual([]);
});
