import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./pages.ts";
import { withTables } from "./policy-tables.ts";

const file = join(root, "docs/policy.md");
const before = readFileSync(file, "utf8");
const after = withTables(before);
writeFileSync(file, after);
console.log(
  before === after ? "docs/policy.md is as the schema says" : "docs/policy.md: tables written anew",
);
