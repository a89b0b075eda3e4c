import { z } from "zod";
import type { DataPlane } from "./data-plane.ts";

/** Kinds that list models; what the others have in common is only the key. */
const withModels = new Set(["openai", "aiservices"]);

/** Azure OpenAI and AI services: the list of models. */
export const aiServices: DataPlane = {
  Description: z
    .object({ kind: z.string(), properties: z.object({ endpoint: z.string() }) })
    .transform(({ kind, properties }) =>
      withModels.has(kind.toLowerCase()) ? properties.endpoint : undefined,
    ),
  domains: {
    public: [
      "cognitiveservices.azure.com",
      "openai.azure.com",
      "services.ai.azure.com",
      "api.cognitive.microsoft.com",
    ],
    usgovernment: ["cognitiveservices.azure.us", "openai.azure.us", "api.cognitive.microsoft.us"],
    china: ["cognitiveservices.azure.cn", "openai.azure.cn", "api.cognitive.azure.cn"],
  },
  request: ({ key }) => ({
    path: "/openai/models?api-version=2024-10-21",
    headers: { "api-key": key.reveal() },
  }),
  judge({ status }) {
    if (status === 200) return "accepted";
    // 403 is the firewall's.
    return status === 401 ? "rejected" : undefined;
  },
};

/** AI Search: the service's statistics, which only admin keys may see. */
export const aiSearch: DataPlane = {
  Description: z
    .object({ properties: z.object({ endpoint: z.string().optional() }) })
    .transform(({ properties }) => properties.endpoint),
  domains: { public: ["search.windows.net"], usgovernment: ["search.azure.us"], china: ["search.azure.cn"] },
  request: ({ key }) => ({
    path: "/servicestats?api-version=2024-07-01",
    headers: { "api-key": key.reveal() },
  }),
  judge({ status }) {
    if (status === 200) return "accepted";
    // It answers 403 to a wrong key and to a wrong network alike.
    return status === 401 || status === 403 ? "rejected" : undefined;
  },
};
