import type { ContainerGroupView } from "../azure/container-instances.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import { entryFor } from "./dependents.ts";

/** Whether the retirement of this secret, or of one that is derived from it, waits for this group. */
export function gatesFor(
  { derived, ...own }: SecretPolicy,
  group: Pick<ContainerGroupView, "id" | "tags">,
): boolean {
  return [own, ...derived].some((reader) => entryFor(reader, group)?.gate === true);
}
