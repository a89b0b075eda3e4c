import { expect } from "vitest";
import { isFault } from "../../src/errors.ts";
import { load } from "./fixtures.ts";

/** A policy, or the fault that lists what is wrong with it; anything else fails the test. */
export function isLoadedOrRefused(text: string): void {
  try {
    load(text);
  } catch (error) {
    if (!isFault(error, "invalid-policy")) throw error;
    expect(String(error)).toMatch(/policy\.yaml:\d+:\d+: /);
  }
}
