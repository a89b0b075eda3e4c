import { createHmac } from "node:crypto";
import { z } from "zod";
import type { DataPlane, Use } from "./data-plane.ts";

const version = "2021-12-02";
const query = { comp: "properties", restype: "service" };

const Endpoints = z.object({ blob: z.string(), queue: z.string(), file: z.string() }).partial();

/**
 * Storage accounts: Get Service Properties, signed with the key (Shared Key), of whichever service the account has.
 * https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
export const storage: DataPlane = {
  Description: z
    .object({ properties: z.object({ primaryEndpoints: Endpoints }) })
    .transform(({ properties: { primaryEndpoints: found } }) => found.blob ?? found.queue ?? found.file),
  domains: {
    // The second one is that of accounts in DNS zones.
    public: ["core.windows.net", "storage.azure.net"],
    usgovernment: ["core.usgovcloudapi.net"],
    china: ["core.chinacloudapi.cn"],
  },
  request(use) {
    const date = new Date(use.now).toUTCString();
    const path = `/?${new URLSearchParams(query).toString()}`;
    return { path, headers: { "x-ms-date": date, "x-ms-version": version, authorization: sign(use, date) } };
  },
  judge({ status, code }) {
    if (status === 200) return "accepted";
    // Any other 403 is the firewall's.
    return status === 403 && code === "AuthenticationFailed" ? "rejected" : undefined;
  },
};

function sign({ resource, key }: Use, date: string): string {
  const account = resource.names[0] ?? "";
  // The verb, then eleven standard headers, none of which a plain GET has.
  const standard = ["GET", ...Array.from({ length: 11 }, () => "")];
  const own = [`x-ms-date:${date}`, `x-ms-version:${version}`];
  const target = [`/${account}/`, ...Object.entries(query).map(([name, value]) => `${name}:${value}`)];
  const text = [...standard, ...own, ...target].join("\n");
  const signature = createHmac("sha256", Buffer.from(key.reveal(), "base64")).update(text).digest("base64");
  return `SharedKey ${account}:${signature}`;
}
