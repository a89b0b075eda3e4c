import { isFault } from "../errors.ts";
import { fieldsOf } from "../rotators/secret-text.ts";
import type { BoundRotator } from "../rotators/rotator.ts";

/** What is wrong with the template of a secret's text; `undefined` if nothing is. */
export function templateProblem(template: string, rotator: BoundRotator): string | undefined {
  const used = readFields(template);
  if (typeof used === "string") return used;
  const known = fieldsBySlot(rotator);
  const names = ["password", ...Object.keys(known[0] ?? {})];
  const unknown = used.filter((field) => !names.includes(field));
  if (unknown.length > 0) {
    return `found ${braced(unknown)}; expected only fields of ${rotator.id}: ${braced(names)}`;
  }
  if (!used.includes("password"))
    return "found no {password}; expected the template to hold it, since that is what rotates";
  const telling = names.filter((name) => new Set(known.map((fields) => fields[name])).size > 1);
  if (telling.length > 0 && !telling.some((name) => used.includes(name))) {
    return `found nothing that tells ${rotator.slots.join(" from ")}; expected ${braced(telling, " or ")} in it, or readers would log in with the wrong name`;
  }
  return undefined;
}

function readFields(template: string): string[] | string {
  try {
    return fieldsOf(template);
  } catch (error) {
    if (isFault(error, "invalid-policy")) return `found a template that cannot be read: ${error.message}`;
    throw error;
  }
}

function fieldsBySlot(rotator: BoundRotator): Readonly<Record<string, string>>[] {
  return (rotator.slots.length > 0 ? rotator.slots : [""]).map((slot) => rotator.fields(slot));
}

function braced(names: readonly string[], separator = ", "): string {
  return names.map((name) => `{${name}}`).join(separator);
}
