import { createHmac } from "node:crypto";
import { z } from "zod";
import type { DataPlane } from "./data-plane.ts";

/**
 * Cosmos DB: the account's own description, signed with the key; a read-only key may ask for it, too.
 * https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
 */
export const cosmos: DataPlane = {
  Description: z
    .object({ properties: z.object({ documentEndpoint: z.string() }) })
    .transform(({ properties }) => properties.documentEndpoint),
  domains: {
    public: ["documents.azure.com"],
    usgovernment: ["documents.azure.us"],
    china: ["documents.azure.cn"],
  },
  request({ key, now }) {
    const date = new Date(now).toUTCString();
    // Verb, type and id of the resource (the account has neither), date.
    const text = `get\n\n\n${date.toLowerCase()}\n\n`;
    const secret = Buffer.from(key.reveal(), "base64");
    const signature = createHmac("sha256", secret).update(text).digest("base64");
    const authorization = encodeURIComponent(`type=master&ver=1.0&sig=${signature}`);
    return { path: "/", headers: { "x-ms-date": date, "x-ms-version": "2018-12-31", authorization } };
  },
  judge({ status }) {
    if (status === 200) return "accepted";
    // 403 is the firewall's.
    return status === 401 ? "rejected" : undefined;
  },
};
