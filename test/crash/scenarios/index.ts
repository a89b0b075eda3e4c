import { azureKey } from "./azure-key.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { postgresRole } from "./postgres-role.ts";
import { random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

/** Every rotator, on every kind of target it has. */
export const scenarios: readonly Scenario[] = [
  random,
  postgresRole("dual"),
  postgresRole("single"),
  azureKey,
  entraClientSecret,
];
