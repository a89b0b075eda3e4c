import { isIPv4 } from "node:net";
import { z } from "zod";

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** `false` only on loopback and with `cloud: custom`; `checkCloud` sees to the second. */
  readonly tls: boolean;
}

const example = "rediss://name.region.redis.azure.net:10000";

/** `rediss://host:port` and nothing else; `redis://` on loopback. No message quotes what was given. */
export const RedisUrl = z
  .string(`missing; set it to the address of Redis, such as ${example}`)
  .transform(readRedis);

/** `name=https://host:port,name=https://host:port`, names in lower case. */
export const VaultUrls = z.string().transform(readVaultUrls);

/** The origin of an `https://` address. */
export const HttpsUrl = z
  .string()
  .refine(
    isBareHttps,
    "expected an https:// address without user, path or query, such as https://management.example",
  )
  .transform((text) => new URL(text).origin);

function readRedis(text: string, context: z.RefinementCtx): RedisAddress {
  const url = URL.parse(text);
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (!url || !/^rediss?:$/.test(url.protocol) || !url.hostname)
    return refuse(`expected an address such as ${example}`);
  if (url.username || url.password) {
    return refuse(
      "holds a user or password; keyturn logs in with a token of its managed identity, remove them",
    );
  }
  if (!url.port) return refuse(`expected a port, as in ${example}`);
  if (url.pathname.length > 1 || url.search || url.hash)
    return refuse(`expected nothing behind the port, as in ${example}`);
  const tls = url.protocol === "rediss:";
  const name = url.hostname.replace(/^\[|\]$/g, "");
  if (!tls && !isLoopback(name))
    return refuse("redis:// is not encrypted and only for loopback; use rediss://");
  return { host: name, port: Number(url.port), tls };
}

function readVaultUrls(text: string, context: z.RefinementCtx): ReadonlyMap<string, string> {
  const vaults = new Map<string, string>();
  for (const entry of text.split(",")) {
    const [, name, url] = /^\s*([a-z0-9-]{3,24})\s*=\s*(\S+)\s*$/i.exec(entry) ?? [];
    if (!name || !url || !isBareHttps(url)) {
      context.addIssue({ code: "custom", message: "expected name=https://host:port, separated by commas" });
      return z.NEVER;
    }
    vaults.set(name.toLowerCase(), new URL(url).origin);
  }
  return vaults;
}

function isBareHttps(text: string): boolean {
  const url = URL.parse(text);
  return (
    url?.protocol === "https:" &&
    !url.username &&
    !url.password &&
    url.pathname === "/" &&
    !url.search &&
    !url.hash
  );
}

function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
}
