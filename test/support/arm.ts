import type { LocalAzure } from "../local-azure/index.ts";
import type { Identity } from "../local-azure/state.ts";

/** A person with `curl`: plain HTTP with a token, against the local Azure. */
export interface Arm {
  get<T = unknown>(path: string): Promise<T>;
  put<T = unknown>(path: string, body: unknown, api?: Api): Promise<T>;
  post(path: string, api?: Api): Promise<void>;
  /** Makes a container group and waits until its containers run. */
  deploy(group: GroupSpec): Promise<void>;
}

type Api = "arm" | "vault";

interface GroupSpec {
  readonly id: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Resource id of a user-assigned identity. */
  readonly identity: string;
  readonly tags?: Readonly<Record<string, string>>;
}

const audience = { arm: "https://management.azure.com", vault: "https://vault.azure.net" };

export function createArm(azure: LocalAzure, identity: Identity): Arm {
  const call = async (method: string, path: string, body?: unknown, api: Api = "arm") => {
    const url = path.startsWith("/") ? `${azure.urls.resourceManager}${path}?api-version=2023-05-01` : path;
    const { token } = await azure.tokens.issue(identity, audience[api]);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${answer}`);
    return answer === "" ? undefined : JSON.parse(answer);
  };
  return {
    get: (path) => call("GET", path),
    put: (path, body, api) => call("PUT", path, body, api),
    post: (path, api) => call("POST", path, undefined, api),
    async deploy(group) {
      await call("PUT", group.id, definitionOf(group));
    },
  };
}

function definitionOf({ id, command, environment, identity, tags }: GroupSpec): object {
  const name = id.split("/").at(-1);
  const environmentVariables = Object.entries(environment).map(([key, value]) => ({ name: key, value }));
  const resources = { requests: { cpu: 0.5, memoryInGB: 0.5 } };
  const properties = { image: `${name}:1`, command, environmentVariables, resources };
  return {
    location: "westeurope",
    tags,
    identity: { type: "UserAssigned", userAssignedIdentities: { [identity]: {} } },
    properties: { osType: "Linux", restartPolicy: "Always", containers: [{ name, properties }] },
  };
}
