import { z } from "zod";
import { Fault } from "../errors.ts";
import { charactersOf, isLongEnough, passwordRules, tooShort } from "../providers/password/rules.ts";
import { randomText } from "../providers/password/generate.ts";
import { defineRotator } from "./rotator.ts";

const Url = z.string().max(512).refine(isPlain, {
  error: "an https URL in its usual spelling, without user, query, fragment and slash at the end",
});

/**
 * Only an application of one's own: a token for Azure's own services, or for the exchange of tokens, would let whoever
 * gets it act as keyturn.
 */
const Audience = z
  .string()
  .regex(
    /^api:\/\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/[\w.-]{1,64})?$/,
    "the URI of an application registration of your own: api://<application id>",
  );

const Slot = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "1 to 64 letters, digits, dots, dashes and underscores");

const Target = z
  .strictObject({
    url: Url,
    audience: Audience,
    /** Ids under which the endpoint knows the credential, or the two that take turns. */
    slots: z
      .array(Slot)
      .min(1)
      .max(2)
      .refine((slots) => new Set(slots).size === slots.length, "two slots that take turns must differ"),
    /** Readers have to know the slot, as a user name: the text of the secret then holds `{username}`. */
    named: z.boolean().default(false),
    ...passwordRules,
  })
  .refine(isLongEnough, tooShort);
type Target = z.infer<typeof Target>;

/** A credential of a system that keyturn does not know, behind an endpoint that does: see http.md. */
export const http = defineRotator<Target>({
  id: "http",
  summary: "a credential of any other system, through an HTTPS endpoint of your own",
  origin: "chosen",
  target: Target,
  propagation: 10 * 60_000,
  roles: ["whatever the endpoint demands of keyturn's identity in a token for its audience"],
  template: "{password}",
  overlap: ({ slots }) => (slots.length === 2 ? "dual" : "single"),
  slots: ({ slots }) => slots,
  owns: ({ url, slots }) => slots.map((slot) => `${url}#${slot}`),
  fields: ({ named }, credentialId) => {
    const fields: Record<string, string> = named ? { username: credentialId } : {};
    return fields;
  },
  choose: ({ length, alphabet }, slot, random) => ({
    id: slot,
    value: randomText(length, charactersOf(alphabet), random),
  }),
  async observe(target, known, { providers, signal }) {
    // Ids that are not of the target are none of the endpoint's business.
    const asked = known.filter(({ id }) => id === "" || target.slots.includes(id));
    const { exists, credentials } = await providers.http.observe(target, asked, signal);
    const answers = known.map((credential) => credentials[asked.indexOf(credential)]);
    return {
      exists: target.slots.filter((slot) => exists.includes(slot)),
      accepts: answers.map((answer) => answer?.acceptance ?? "unknown"),
      ids: answers.map((answer) => target.slots.find((slot) => slot === answer?.id)),
    };
  },
  async apply(target, credential, { providers, signal }) {
    assertOurs(target, credential.id);
    await providers.http.apply(target, credential, signal);
  },
  async verify(target, credential, { providers, signal }) {
    assertOurs(target, credential.id);
    await providers.http.verify(target, credential, signal);
  },
  async revoke(target, credentialId, { providers, signal }) {
    assertOurs(target, credentialId);
    await providers.http.revoke(target, credentialId, signal);
  },
});

function assertOurs({ slots, url }: Target, id: string): void {
  if (!slots.includes(id)) throw new Fault("slot-unknown", `the policy names no slot "${id}" at ${url}`);
}

/** One spelling only, so that two secrets with one owner are noticed. */
function isPlain(text: string): boolean {
  const url = URL.parse(text);
  const path = url?.pathname === "/" ? "" : url?.pathname;
  return !path?.endsWith("/") && text === `https://${url?.host}${path}`;
}
