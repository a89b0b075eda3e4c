import { Fault } from "../errors.ts";
import type { BoundRotator, Credential } from "./rotator.ts";
import { SecretValue } from "../secret-value.ts";

/**
 * A secret's text is a template over the credential: `postgresql://{username}:{password:url}@{host}:{port}/{database}`.
 * `{name}` puts a field in as it is, `{name:url}` percent-encoded, `{{` and `}}` are braces. Parsing goes the other way
 * and is anchored on everything the policy fixes, so that a text made by somebody else is either understood whole or
 * not at all. No error here quotes the text.
 */
type Part = { readonly literal: string } | { readonly field: string; readonly encoding: Encoding };
type Encoding = "plain" | "url";

const token = /\{\{|\}\}|\{([a-z][a-z0-9_]*)(?::([a-z]+))?\}|[{}]/g;

/** The fields a template uses. @throws Fault `invalid-policy` for a template that cannot be read */
export function fieldsOf(template: string): string[] {
  return parts(template).flatMap((part) => ("field" in part ? [part.field] : []));
}

/** The secret's text for a credential. */
export function render(rotator: BoundRotator, template: string, credential: Credential): SecretValue {
  const fields: Record<string, string> = {
    ...rotator.fields(credential.id),
    password: credential.value.reveal(),
  };
  const text = parts(template).map((part) => {
    if ("literal" in part) return part.literal;
    const value = fields[part.field];
    if (value === undefined)
      throw new Fault("invalid-policy", `the template names an unknown field {${part.field}}`);
    return encode(value, part.encoding);
  });
  return new SecretValue(text.join(""));
}

/**
 * The credential in a secret's text, or `undefined` if the text is not what the template would render for any
 * credential of this target. If the text does not tell which slot it is for (a bare key), the id is `""`: the provider
 * knows.
 */
export function parse(rotator: BoundRotator, template: string, text: SecretValue): Credential | undefined {
  const candidates = rotator.slots.length > 0 ? rotator.slots : [""];
  const found = candidates.flatMap((slot) => {
    const value = passwordFor(rotator, template, slot, text.reveal());
    if (value === undefined || value === "") return [];
    const credential = { id: slot, value: new SecretValue(value) };
    return render(rotator, template, credential).equals(text) ? [credential] : [];
  });
  const [first, ...others] = found;
  if (!first || others.length === 0) return first;
  return others.every(({ value }) => value.equals(first.value)) ? { id: "", value: first.value } : undefined;
}

function passwordFor(
  rotator: BoundRotator,
  template: string,
  slot: string,
  text: string,
): string | undefined {
  const fields = rotator.fields(slot);
  let encoding: Encoding = "plain";
  let seen = false;
  const pattern = parts(template).map((part) => {
    if ("literal" in part) return RegExp.escape(part.literal);
    if (part.field !== "password") return RegExp.escape(encode(fields[part.field] ?? "", part.encoding));
    if (seen) return "\\k<password>";
    seen = true;
    encoding = part.encoding;
    return "(?<password>[^]*)";
  });
  const match = new RegExp(`^${pattern.join("")}$`).exec(text);
  return match?.groups?.password === undefined ? undefined : decode(match.groups.password, encoding);
}

function parts(template: string): Part[] {
  const result: Part[] = [];
  let end = 0;
  for (const match of template.matchAll(token)) {
    if (match.index > end) result.push({ literal: template.slice(end, match.index) });
    result.push(readToken(match));
    end = match.index + match[0].length;
  }
  if (end < template.length) result.push({ literal: template.slice(end) });
  return result;
}

function readToken([text, field, encoding = "plain"]: RegExpExecArray): Part {
  if (text === "{{") return { literal: "{" };
  if (text === "}}") return { literal: "}" };
  if (!field)
    throw new Fault("invalid-policy", "the template has a single brace; write {{ or }} for a brace");
  if (encoding !== "plain" && encoding !== "url") {
    throw new Fault(
      "invalid-policy",
      `the template names an unknown encoding {${field}:${encoding}}; use url`,
    );
  }
  return { field, encoding };
}

function encode(value: string, encoding: Encoding): string {
  return encoding === "url" ? encodeURIComponent(value) : value;
}

function decode(value: string, encoding: Encoding): string | undefined {
  if (encoding === "plain") return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
