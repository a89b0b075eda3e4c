import { http } from "./http.ts";
import { mariadbUser } from "./mariadb-user.ts";
import { azureKey } from "./azure-key.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { postgresRole } from "./postgres-role.ts";
import { random } from "./random.ts";
import type { Rotator } from "./rotator.ts";

/** Every rotator the policy can name. A new one is a file in this folder and a line here. */
export const rotators: readonly Rotator[] = [
  random,
  postgresRole,
  mariadbUser,
  http,
  azureKey,
  entraClientSecret,
];
