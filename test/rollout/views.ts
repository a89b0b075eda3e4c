import type { ContainerGroupView, ContainerView } from "../../src/azure/container-instances.ts";

export const publishedAt = 1_000_000;

/** Runs on the new value, unless `change` says otherwise. */
export function container(change: Partial<ContainerView> = {}): ContainerView {
  return {
    name: "app",
    image: "app:1",
    state: "Running",
    startedAt: publishedAt + 10_000,
    restartCount: 0,
    ...change,
  };
}

export function group(containers: ContainerView[], state = "Running"): ContainerGroupView {
  return { id: "/g/one", name: "one", tags: {}, provisioningState: "Succeeded", state, containers };
}
