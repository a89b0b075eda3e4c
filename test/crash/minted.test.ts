import { describeRows } from "./quick-rows.ts";

describeRows("azure-key", "entra-client-secret");
