import { describeRows } from "./quick-rows.ts";

describeRows("postgres-role", "mariadb-user");
