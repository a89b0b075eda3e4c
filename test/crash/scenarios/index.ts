import { azureKey, derivedSignature } from "./azure-key.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { http } from "./http.ts";
import { derivedUrl, mariadbUser, postgresRole } from "./log-ins.ts";
import { random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

/** Every rotator, on every kind of target it has, and what is derived from them. */
export const scenarios: readonly Scenario[] = [
  random,
  postgresRole("dual"),
  postgresRole("single"),
  mariadbUser,
  azureKey,
  entraClientSecret,
  http,
  derivedUrl,
  derivedSignature,
];
