import type { KeyVault, SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import { isFault } from "../../errors.ts";

/** A disabled latest is a fact to decide on, not a failure to look. */
export async function readable(
  read: Promise<StoredSecret | undefined>,
): Promise<{ stored: StoredSecret | undefined; disabled: boolean }> {
  try {
    return { stored: await read, disabled: false };
  } catch (error) {
    if (isFault(error, "secret-disabled")) return { stored: undefined, disabled: true };
    throw error;
  }
}

/** The newest version, also if it is disabled; then only as long as no other one was made in the same second. */
export async function newestOf(
  name: string,
  vault: KeyVault,
  signal: AbortSignal,
): Promise<SecretVersion | undefined> {
  const { stored, disabled } = await readable(vault.latest(name, signal));
  return disabled ? newestIn(await vault.versions(name, signal)) : stored;
}

/** Key Vault keeps whole seconds: two versions of one second cannot be told apart. */
export function newestIn(versions: readonly SecretVersion[]): SecretVersion | undefined {
  const [newest, next] = versions.toSorted((a, b) => b.createdAt - a.createdAt);
  return newest?.createdAt === next?.createdAt ? undefined : newest;
}
