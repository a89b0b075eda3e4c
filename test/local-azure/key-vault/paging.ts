import { z } from "zod";
import type { VaultState } from "../state.ts";
import { badParameter, readPageSize } from "./requests.ts";

const SkipToken = z.strictObject({ after: z.string() });

/**
 * One page of `items` in the order of their keys. The token names the last key that was given out, so that a walk over
 * the pages stays whole while items come and go.
 */
export function page<T>(
  vault: VaultState,
  request: Request,
  items: Iterable<T>,
  keyOf: (item: T) => string,
  render: (item: T) => object,
): object {
  const url = new URL(request.url);
  const size = readPageSize(url);
  const after = readToken(url);
  const rest = [...items]
    .filter((item) => after === undefined || keyOf(item) > after)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const value = rest.slice(0, size);
  const last = value.at(-1);
  const more = last !== undefined && rest.length > size;
  return { value: value.map(render), nextLink: more ? nextLink(vault, url, keyOf(last)) : null };
}

function nextLink(vault: VaultState, url: URL, key: string): string {
  const next = new URL(vault.url + url.pathname + url.search);
  next.searchParams.set("$skiptoken", Buffer.from(JSON.stringify({ after: key })).toString("base64url"));
  return next.href;
}

function readToken(url: URL): string | undefined {
  const token = url.searchParams.get("$skiptoken");
  if (token === null) return undefined;
  try {
    return SkipToken.parse(JSON.parse(Buffer.from(token, "base64url").toString())).after;
  } catch {
    throw badParameter("The request URI contains an invalid $skiptoken");
  }
}
