import { z } from "zod";
import type { SasGrant } from "../rotators/rotator.ts";

/** Words of the policy file, and the letters Azure has for them, in the order in which it wants them. */
const services = { blob: "b", queue: "q", table: "t", file: "f" } as const;
const resources = { service: "s", container: "c", object: "o" } as const;
const onAccount = {
  read: "r",
  write: "w",
  delete: "d",
  list: "l",
  add: "a",
  create: "c",
  update: "u",
  process: "p",
} as const;
const onContainer = { read: "r", add: "a", create: "c", write: "w", delete: "d", list: "l" } as const;

function wordsOf(letters: Readonly<Record<string, string>>) {
  const words = Object.keys(letters);
  const expected = `expected a list of ${words.join(", ")}`;
  return z.array(z.enum(words, expected), expected).min(1, expected);
}

/** https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
const containerName = "expected the name of a blob container: 3 to 63 lower-case letters, digits or hyphens";

const AccountSas = z.strictObject({
  services: wordsOf(services).describe("Services of the account that are granted."),
  resources: wordsOf(resources).describe(
    "Whether the services, their containers or single objects are granted.",
  ),
  permissions: wordsOf(onAccount).describe("What may be done with them."),
});

const ContainerSas = z.strictObject({
  container: z
    .string(containerName)
    .regex(/^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, containerName)
    .describe("The blob container that is granted."),
  permissions: wordsOf(onContainer).describe("What may be done with its blobs."),
});

/** A shared access signature of a storage account, or of one of its blob containers. */
export const Sas = z.union([AccountSas, ContainerSas], {
  error: "expected a map with services, resources and permissions, or with container and permissions",
});
export type Sas = z.infer<typeof Sas>;

export function grantOf(sas: Sas): SasGrant {
  if ("container" in sas) {
    const { container, permissions } = sas;
    return { kind: "container", container, permissions: lettersOf(onContainer, permissions) };
  }
  return {
    kind: "account",
    services: lettersOf(services, sas.services),
    resourceTypes: lettersOf(resources, sas.resources),
    permissions: lettersOf(onAccount, sas.permissions),
  };
}

function lettersOf(letters: Readonly<Record<string, string>>, words: readonly string[]): string {
  return Object.entries(letters)
    .filter(([word]) => words.includes(word))
    .map(([, letter]) => letter)
    .join("");
}
