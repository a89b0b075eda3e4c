import { createHmac } from "node:crypto";
import type { Timestamp } from "../../clock.ts";
import { SecretValue } from "../../secret-value.ts";

/** What a shared access signature allows, in the letters and the order in which Azure signs them. */
export type SasGrant =
  | {
      readonly kind: "account";
      /** Of `bqtf` */
      readonly services: string;
      /** Of `sco` */
      readonly resourceTypes: string;
      /** Of `rwdlacup` */
      readonly permissions: string;
    }
  | {
      readonly kind: "container";
      readonly container: string;
      /** Of `racwdl` */
      readonly permissions: string;
    };

/** Signs what is granted until `expiresAt` with a key of the account. Same input, same text. */
export type SignSas = (grant: SasGrant, key: SecretValue, expiresAt: Timestamp) => SecretValue;

type Parameters = readonly (readonly [name: string, value: string])[];

const version = "2021-12-02";
const protocol = "https";

/**
 * Signs for a storage account. No start time: the signature is valid as soon as it is made, whoever's clock is behind.
 * https://learn.microsoft.com/rest/api/storageservices/create-account-sas
 * https://learn.microsoft.com/rest/api/storageservices/create-service-sas
 */
export function createSignSas(account: string): SignSas {
  return (grant, key, expiresAt) => {
    // Whole seconds, as Key Vault keeps them.
    const expiry = new Date(expiresAt).toISOString().replace(/\.\d{3}Z$/, "Z");
    const [lines, parameters] =
      grant.kind === "account" ? forAccount(account, grant, expiry) : forContainer(account, grant, expiry);
    const signature = createHmac("sha256", Buffer.from(key.reveal(), "base64"))
      .update(lines.join("\n"))
      .digest("base64");
    const query = [...parameters, ["sig", signature] as const];
    return new SecretValue(query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&"));
  };
}

type Signed = readonly [lines: readonly string[], parameters: Parameters];
type Grant<K extends SasGrant["kind"]> = Extract<SasGrant, { kind: K }>;

function forAccount(account: string, grant: Grant<"account">, expiry: string): Signed {
  const { services, resourceTypes, permissions } = grant;
  const [start, addresses, encryptionScope] = ["", "", ""];
  const lines = [account, permissions, services, resourceTypes, start, expiry];
  const query = { sv: version, ss: services, srt: resourceTypes, sp: permissions };
  // The text ends with a newline.
  return [[...lines, addresses, protocol, version, encryptionScope, ""], withEnd(query, expiry)];
}

function forContainer(account: string, grant: Grant<"container">, expiry: string): Signed {
  const { container, permissions } = grant;
  const [start, policy, addresses, snapshot, encryptionScope] = ["", "", "", "", ""];
  // What a response's headers would be overridden with: cache, disposition, encoding, language, type.
  const headers = ["", "", "", "", ""];
  const lines = [permissions, start, expiry, `/blob/${account}/${container}`, policy, addresses, protocol];
  const query = { sv: version, sr: "c", sp: permissions };
  return [[...lines, version, "c", snapshot, encryptionScope, ...headers], withEnd(query, expiry)];
}

function withEnd(query: Readonly<Record<string, string>>, expiry: string): Parameters {
  return Object.entries({ ...query, se: expiry, spr: protocol });
}
