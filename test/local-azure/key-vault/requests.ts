import { z } from "zod";
import { Refusal } from "../http.ts";

/** 25 KB, see "About Azure Key Vault secrets". */
const maxValueBytes = 25 * 1024;
const maxTags = 15;

const Seconds = z.int().nonnegative().nullish();
const Attributes = z.object({ enabled: z.boolean().nullish(), nbf: Seconds, exp: Seconds });
const Tags = z
  .record(z.string().max(256), z.string().max(256))
  .refine((tags) => Object.keys(tags).length <= maxTags, `at most ${maxTags} tags`);

export const SetRequest = z.object({
  value: z.string().refine((value) => Buffer.byteLength(value) <= maxValueBytes, "at most 25 KB"),
  contentType: z.string().max(255).nullish(),
  tags: Tags.nullish(),
  attributes: Attributes.nullish(),
});
export type SetRequest = z.infer<typeof SetRequest>;

export const UpdateRequest = SetRequest.omit({ value: true });
export type UpdateRequest = z.infer<typeof UpdateRequest>;

export const RestoreRequest = z.object({ value: z.base64url() });

/** The body of `request`, checked. @throws Refusal 400 `BadParameter` that names the property, never its content */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await request.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const property = issue?.path.join(".") || "request body";
  throw badParameter(`Property ${property} has invalid value: ${issue?.message}`);
}

/** @throws Refusal 400 for a name that no secret can have */
export function checkName(name: string): string {
  if (/^[0-9a-zA-Z-]{1,127}$/.test(name)) return name;
  throw badParameter(`The request URI contains an invalid name: ${name}`);
}

/** @throws Refusal 400 outside 1..25 */
export function readPageSize(url: URL): number {
  const text = url.searchParams.get("maxresults");
  if (text === null) return 25;
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= 25) return size;
  throw badParameter("maxresults must be between 1 and 25");
}

export function badParameter(message: string): Refusal {
  return new Refusal(400, "BadParameter", message);
}
