import { createHmac } from "node:crypto";
import { z } from "zod";
import type { Millis } from "../../clock.ts";
import type { DataPlane, Use } from "./data-plane.ts";

const lifetime: Millis = 5 * 60_000;

/** What a good signature is told when its rule lacks the right to manage: the key works. */
const lacksClaim = /claims?(\(s\))? (is|are )?\s*required/i;

/**
 * Service Bus and Event Hubs: the entity (or the namespace) is asked for over HTTPS with a token signed with the key.
 * Rules that may only send or listen are refused that, after their signature has been found good.
 * https://learn.microsoft.com/rest/api/eventhub/generate-sas-token
 */
function sharedAccess(ofNamespace: string, apiVersion: string): DataPlane {
  return {
    Description: z
      .object({ properties: z.object({ serviceBusEndpoint: z.string() }) })
      .transform(({ properties }) => properties.serviceBusEndpoint),
    owner: ({ id }) => id.split("/").slice(0, 9).join("/"),
    domains: {
      public: ["servicebus.windows.net"],
      usgovernment: ["servicebus.usgovcloudapi.net"],
      china: ["servicebus.chinacloudapi.cn"],
    },
    request(use) {
      const entity = entityOf(use);
      const path = `/${entity ?? ofNamespace}?api-version=${apiVersion}`;
      return { path, headers: { authorization: token(use, entity ?? "") } };
    },
    judge({ status, text }) {
      // The signature is checked before the entity is looked for.
      if (status === 200 || status === 404) return "accepted";
      if (status !== 401 && status !== 403) return undefined;
      if (lacksClaim.test(text)) return "accepted";
      return status === 401 ? "rejected" : undefined;
    },
  };
}

export const serviceBus = sharedAccess("$namespaceinfo", "2021-05");
export const eventHubs = sharedAccess("$Resources/EventHubs", "2014-01");

function entityOf({ resource: { names } }: Use): string | undefined {
  return names.length > 2 ? names[1] : undefined;
}

function token({ resource: { names }, key, endpoint, now }: Use, entity: string): string {
  const resource = encodeURIComponent(`https://${endpoint.hostname}/${entity}`.toLowerCase());
  const expiry = Math.floor((now + lifetime) / 1000);
  const signature = createHmac("sha256", key.reveal()).update(`${resource}\n${expiry}`).digest("base64");
  const rule = encodeURIComponent(names.at(-1) ?? "");
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${rule}`;
}
