import { type CommandLine, exitCode } from "./dependencies.ts";

/** Queues a sweep of all vaults. */
export async function sweep(
  line: CommandLine,
  { deep = false }: { readonly deep?: boolean },
): Promise<number> {
  await using session = await line.openSession();
  await session.enqueue("sweep-vaults", { deep }, { dedupe: deep ? "deep-sweep" : "sweep" });
  line.out(`queued: a ${deep ? "deep " : ""}sweep of ${session.policy.vaults.length} vault(s)`);
  return exitCode.done;
}
