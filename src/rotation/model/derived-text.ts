import type { SecretVersion } from "../../azure/key-vault.ts";
import type { Timestamp } from "../../clock.ts";
import type { DerivedPolicy, SecretPolicy } from "../../policy/policy.ts";
import { render } from "../../rotators/secret-text.ts";
import type { SecretValue } from "../../secret-value.ts";
import type { ReadVersion } from "./snapshot.ts";

/**
 * The text that follows from one version of the secret it is derived from: computed again, it is the same, which is how
 * a text is matched to its parent. `undefined` if the parent's text holds no credential.
 */
export function textOf(
  { rotator, validity }: SecretPolicy,
  { template, sas, key }: Pick<DerivedPolicy, "template" | "sas" | "key">,
  parent: ReadVersion | undefined,
): SecretValue | undefined {
  if (!parent?.credential) return undefined;
  const { credential, stored } = parent;
  if (!sas) return render(rotator, template, credential);
  if (!rotator.signs) throw new TypeError(`${key}: nothing signs with the keys of ${rotator.id}`);
  const value = rotator.signs(sas, credential.value, endOf(stored, validity));
  return render(rotator, template, { ...credential, value });
}

export function endOf({ expiresAt, createdAt }: SecretVersion, validity: number): Timestamp {
  return expiresAt ?? createdAt + validity;
}
