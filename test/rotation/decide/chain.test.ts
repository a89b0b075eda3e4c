import { expect, test } from "vitest";
import { firstOf, type Link, type Situation, when } from "../../../src/rotation/decide/chain.ts";
import type { Action } from "../../../src/rotation/model/action.ts";
import { dual, latest, seen } from "./facts.ts";

const situation: Situation = { seen: seen(), latest: latest(), rules: dual };
const close: Action = { kind: "close" };
const restore: Action = { kind: "restore" };

function recorder() {
  const asked: string[] = [];
  const link =
    (name: string, answer?: Action): Link =>
    () => {
      asked.push(name);
      return answer;
    };
  return { asked, link };
}

test("links are asked in their order, and none after the first that answers", () => {
  const { asked, link } = recorder();
  const chain = firstOf([link("one"), link("two", close), link("three", restore)]);
  expect(chain(situation)).toBe(close);
  expect(asked).toEqual(["one", "two"]);
});

test("a chain in which nobody answers leaves the question to whoever asked it", () => {
  const { asked, link } = recorder();
  expect(firstOf([link("one"), link("two")])(situation)).toBeUndefined();
  expect(asked).toEqual(["one", "two"]);
});

test("a chain can be a link of another one", () => {
  const { link } = recorder();
  expect(firstOf([firstOf([link("one")]), link("two", close)])(situation)).toBe(close);
});

test("links behind a condition are asked only where it holds", () => {
  const { asked, link } = recorder();
  const isFirst = ({ latest: { first } }: Situation) => first;
  const chain = when(isFirst, link("inside"), link("answer", close));
  expect(chain({ ...situation, latest: latest({ first: false }) })).toBeUndefined();
  expect(asked).toEqual([]);
  expect(chain(situation)).toBe(close);
  expect(asked).toEqual(["inside", "answer"]);
});
