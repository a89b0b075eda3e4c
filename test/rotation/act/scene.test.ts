import { expect, test } from "vitest";
import { credentialOf, type Scene, textIn, versionIn } from "../../../src/rotation/act/scene.ts";
import type { ReadVersion, Snapshot } from "../../../src/rotation/model/snapshot.ts";
import type { RotationPorts } from "../../../src/rotation/ports.ts";
import type { Policy, SecretPolicy } from "../../../src/policy/policy.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { load, policyText } from "../../policy/fixtures.ts";
import { publishedWorld } from "../../rollout/published.ts";
import { seen } from "../decide/facts.ts";

const places = ["latest", "pending", "replaced"] as const;
const stored = { name: "session-key", version: "a".repeat(32), enabled: true, createdAt: 0, tags: {} };
const value = new SecretValue("the text");
const credential = { id: "orders_a", value: new SecretValue("the password") };

function secretOf({ secrets: [secret] }: Policy): SecretPolicy {
  if (!secret) throw new Error("the policy has no secret");
  return secret;
}

/** The same in every place. */
function sceneWith(read: ReadVersion | undefined): Scene {
  const ports: RotationPorts = publishedWorld(
    "\n  - { vault: prod-kv, name: session-key, rotator: plain }",
  ).ports;
  const observed: Snapshot = { latest: read, pending: read, replaced: read, derived: [], facts: seen() };
  return { secret: secretOf(load(policyText())), observed, ports, signal: new AbortController().signal };
}

test.each(places)("what was read from %s is given with its credential and its text", (place) => {
  const read = { stored: { ...stored, value }, credential };
  const scene = sceneWith(read);
  expect(versionIn(scene, place)).toBe(read);
  expect(credentialOf(scene, place)).toBe(credential);
  expect(textIn(scene, place)).toBe(value);
});

test.each(places)("if nothing was read from %s, the decision was wrong, and nothing is done", (place) => {
  const scene = sceneWith(undefined);
  for (const take of [versionIn, credentialOf, textIn])
    expect(() => take(scene, place)).toThrow(
      expect.objectContaining({ code: "internal-error", secret: "prod-kv/session-key" }),
    );
});

test("a text that does not fit the template has no credential, and is said to have none without being quoted", () => {
  const scene = sceneWith({ stored: { ...stored, value }, credential: undefined });
  expect(() => credentialOf(scene, "latest")).toThrow(
    expect.objectContaining({ code: "internal-error", message: "the text in latest holds no credential" }),
  );
  expect(textIn(scene, "latest")).toBe(value);
});

test("of a version that somebody has disabled only the tags are known, and it has no text", () => {
  const scene = sceneWith({ stored, credential: undefined });
  expect(versionIn(scene, "latest").stored).toBe(stored);
  expect(() => textIn(scene, "latest")).toThrow(expect.objectContaining({ code: "internal-error" }));
});
