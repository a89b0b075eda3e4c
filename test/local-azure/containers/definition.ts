import { z } from "zod";
import { Refusal } from "../http.ts";
import type { GroupProperties } from "../state.ts";

// Strict where a field that we would silently ignore changes what a container sees (Key Vault references, mounted
// shares), loose where it does not (ports, probes, priorities).

const EnvironmentVariable = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  value: z.string().nullish(),
  secureValue: z.string().nullish(),
});

const Volume = z.strictObject({
  name: z.string().min(1).max(63),
  emptyDir: z.looseObject({}).nullish(),
  /** File name -> base64. */
  secret: z.record(z.string().regex(/^[\w.-]+$/), z.base64()).nullish(),
});

const Container = z.looseObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  properties: z.looseObject({
    image: z.string().min(1),
    command: z
      .array(z.string())
      .nullish()
      .transform((words) => words ?? []),
    environmentVariables: z
      .array(EnvironmentVariable)
      .nullish()
      .transform((variables) => variables ?? []),
    resources: z.looseObject({
      requests: z.looseObject({ cpu: z.number().positive(), memoryInGB: z.number().positive() }),
    }),
    volumeMounts: z
      .array(z.looseObject({ name: z.string(), mountPath: z.string() }))
      .nullish()
      .transform((mounts) => mounts ?? []),
  }),
});

const Identity = z.looseObject({
  type: z.string().regex(/^(None|SystemAssigned|UserAssigned|SystemAssigned, ?UserAssigned)$/i),
  userAssignedIdentities: z.record(z.string(), z.unknown()).nullish(),
});

/** The body of a PUT of a container group, as far as the local Azure looks at it. */
export const GroupDefinition = z.looseObject({
  location: z.string().min(1),
  tags: z
    .record(z.string(), z.string())
    .nullish()
    .transform((tags) => tags ?? {}),
  identity: Identity.nullish(),
  properties: z.looseObject({
    containers: z.array(Container).min(1).max(60),
    osType: z.literal("Linux"),
    restartPolicy: z.enum(["Always", "OnFailure", "Never"]).default("Always"),
    volumes: z
      .array(Volume)
      .max(20)
      .nullish()
      .transform((volumes) => volumes ?? []),
    secretReferences: z.null({ error: "Key Vault references are not supported locally" }).optional(),
  }),
});
export type GroupDefinition = z.infer<typeof GroupDefinition>;
export type ContainerDefinition = GroupDefinition["properties"]["containers"][number];

/** @throws Refusal 400, naming the field */
export function parseDefinition(body: unknown): GroupDefinition {
  const parsed = GroupDefinition.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw new Refusal(
      400,
      "InvalidRequestContent",
      `The request content was invalid: ${where}: ${issue?.message}`,
    );
  }
  const { containers, volumes } = parsed.data.properties;
  const known = new Set(volumes.map((volume) => volume.name));
  const missing = containers
    .flatMap(({ properties }) => properties.volumeMounts)
    .find(({ name }) => !known.has(name));
  if (missing) throw new Refusal(400, "VolumeMountNotFound", `There is no volume '${missing.name}'.`);
  const names = containers.map(({ name }) => name);
  if (new Set(names).size < names.length) {
    throw new Refusal(400, "DuplicateContainerName", "Two containers have the same name.");
  }
  return parsed.data;
}

/**
 * The properties as Azure gives them back: secure values, contents of secret volumes and passwords of registries and
 * workspaces never leave again.
 * Source: Azure Container Instances, "environment variables" and "secret volume" pages.
 */
export function withoutSecrets(properties: GroupDefinition["properties"]): GroupProperties {
  return {
    ...properties,
    containers: properties.containers.map((container) => ({
      ...container,
      properties: {
        ...container.properties,
        environmentVariables: container.properties.environmentVariables.map(({ name, value }) =>
          value === undefined || value === null ? { name } : { name, value },
        ),
      },
    })),
    volumes: properties.volumes.map((volume) =>
      volume.secret ? { name: volume.name, secret: {} } : { ...volume },
    ),
    imageRegistryCredentials: undefined,
    diagnostics: undefined,
  };
}
