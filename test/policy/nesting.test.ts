import { test } from "vitest";
import { isLoadedOrRefused } from "./loaded-or-refused.ts";

test.each(["[", "{a: ", "- ", "? ", "!a "])("nesting %j without end is refused", (text) => {
  isLoadedOrRefused(text.repeat(20_000));
});
