import { describeRows } from "./quick-rows.ts";

describeRows("random", "http");
