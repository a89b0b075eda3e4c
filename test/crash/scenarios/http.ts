import { Readable } from "node:stream";
import type { HttpClient } from "@azure/core-rest-pipeline";
import { createHttpEndpoint } from "../../../src/providers/http/client.ts";
import { createEndpointInMemory } from "../http-endpoint.ts";
import type { Scenario } from "./scenario.ts";

const host = "rotate.internal.example";
const audience = "api://6f1c1d3e-0f2b-4a61-9c55-3a1d2f9e7b10";
const first = "first-key-of-the-partner-0123456789abcdefgh";

/** An endpoint of the user's own, with two slots, in front of a system that takes a while to know a change everywhere. */
export const http: Scenario = {
  name: "http",
  overlap: "dual",
  origin: "chosen",
  secret: {
    rotator: "http",
    target: { url: `https://${host}/partner`, audience, slots: ["key-a", "key-b"] },
  },
  install({ state, tokens }) {
    const slots = new Map([
      ["key-a", { value: first, spreadUntil: 0 }],
      ["key-b", { value: undefined, spreadUntil: 0 }],
    ]);
    return {
      first,
      services: { [host]: createEndpointInMemory({ slots, clock: state.clock, tokens, audience }) },
      live: () => new Set([...slots.values()].flatMap(({ value }) => (value === undefined ? [] : [value]))),
      connect: ({ client, credential }) => ({
        http: createHttpEndpoint({
          token: async (wanted) => (await credential.getToken(wanted))?.token ?? "",
          httpClient: streaming(client.httpClient),
        }),
      }),
      changeByHand(text) {
        const slot = [...slots.values()].find(({ value }) => value === text) ?? slots.get("key-a");
        const value = `${text}-by-hand`;
        Object.assign(slot ?? {}, { value });
        return value;
      },
    };
  },
};

/** As on a socket: the body comes as a stream. */
function streaming(client: HttpClient): HttpClient {
  return {
    async sendRequest(request) {
      const { bodyAsText, ...response } = await client.sendRequest(request);
      return { ...response, readableStreamBody: Readable.from([Buffer.from(bodyAsText ?? "")]) };
    },
  };
}
