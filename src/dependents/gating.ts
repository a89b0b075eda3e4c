import type { ContainerGroupView } from "../azure/container-instances.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import { names } from "./dependents.ts";

/** Whether the retirement of this secret, or of one that is derived from it, waits for this group. */
export function gatesFor(
  { derived, ...own }: SecretPolicy,
  group: Pick<ContainerGroupView, "id" | "tags">,
): boolean {
  return [own, ...derived].some((reader) => gates(reader, group));
}

/** As the dependents are resolved: the policy's own list comes before what is discovered. */
function gates(
  reader: Pick<SecretPolicy, "key" | "name" | "dependents">,
  { id, tags }: Pick<ContainerGroupView, "id" | "tags">,
): boolean {
  const isNamed = (group: string) => group.toLowerCase() === id.toLowerCase();
  const { dependents } = reader;
  const named = dependents.find((entry) => entry.kind === "group" && isNamed(entry.group));
  const found = dependents.find((entry) => entry.kind === "discover" && names(tags[entry.tag], reader));
  return (named ?? found)?.gate === true;
}
