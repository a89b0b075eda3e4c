import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerDefinition, GroupDefinition } from "./definition.ts";

/** Folders that stand for the volumes of one group. */
export interface Volumes {
  /** `KEYTURN_MOUNT_<VOLUME>` -> folder, for each volume that this container mounts. */
  environmentOf(container: ContainerDefinition): Record<string, string>;
  remove(): Promise<void>;
}

/**
 * Writes the files of `secret` volumes and makes folders for `emptyDir`. A container here has no file system of its
 * own, so nothing can appear under `mountPath`: the folder is told in `KEYTURN_MOUNT_<VOLUME>` instead.
 */
export async function createVolumes(volumes: GroupDefinition["properties"]["volumes"]): Promise<Volumes> {
  if (volumes.length === 0) return { environmentOf: () => ({}), remove: async () => {} };
  const root = await mkdtemp(join(tmpdir(), "keyturn-volumes-"));
  for (const volume of volumes) {
    const folder = join(root, volume.name);
    await mkdir(folder, { mode: 0o700 });
    for (const [file, content] of Object.entries(volume.secret ?? {})) {
      await writeFile(join(folder, file), Buffer.from(content, "base64"), { mode: 0o600 });
    }
  }
  return {
    environmentOf: ({ properties }) =>
      Object.fromEntries(properties.volumeMounts.map(({ name }) => [mountVariable(name), join(root, name)])),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

function mountVariable(volume: string): string {
  return `KEYTURN_MOUNT_${volume.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
