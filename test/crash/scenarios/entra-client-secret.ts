import { createGraph as createAdapter } from "../../../src/azure/graph/graph.ts";
import { createAuthority } from "../../local-azure/authority.ts";
import { createGraph } from "../../local-azure/graph.ts";
import { addApplication, addPassword } from "../../local-azure/resources.ts";
import type { Scenario } from "./scenario.ts";

const hosts = { graph: "graph.microsoft.com", authority: "login.microsoftonline.com" };
const ids = {
  objectId: "aaaaaaaa-0000-4000-8000-000000000001",
  appId: "aaaaaaaa-0000-4000-8000-000000000002",
};

/** An application whose client secrets take a while to be known everywhere. */
export const entraClientSecret: Scenario = {
  name: "entra-client-secret",
  overlap: "dual",
  origin: "minted",
  secret: {
    rotator: "entra-client-secret",
    target: {
      tenant: "11111111-1111-4111-8111-111111111111",
      application: ids.objectId,
      client: ids.appId,
    },
  },
  install({ state, tokens, identity }) {
    const { principalId } = identity;
    state.appRoles.push({ principalId, role: "Application.ReadWrite.OwnedBy" });
    const application = addApplication(state, "orders-api", [principalId], ids);
    const first = addPassword(state, application);
    state.passwordDelay = 8_000;
    return {
      first: first.value,
      services: {
        [hosts.graph]: createGraph(state, tokens),
        [hosts.authority]: createAuthority(state, tokens),
      },
      live: () =>
        new Set(
          application.passwords
            .filter(({ worksFrom, end }) => worksFrom <= state.clock.now() && state.clock.now() < end)
            .map(({ value }) => value),
        ),
      orphans: (text) =>
        application.passwords.filter(
          ({ displayName, value }) => displayName?.startsWith("keyturn:") && value !== text,
        ).length,
      connect: ({ client, credential }) => ({
        graph: createAdapter({
          credential,
          graph: `https://${hosts.graph}`,
          authority: `https://${hosts.authority}`,
          scope: `https://${hosts.graph}/.default`,
          client,
        }),
      }),
      changeByHand(text) {
        const at = application.passwords.findIndex(({ value }) => value === text);
        application.passwords.splice(Math.max(at, 0), 1);
        return addPassword(state, application).value;
      },
    };
  },
};
