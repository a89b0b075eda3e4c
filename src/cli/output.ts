import Table from "cli-table3";
import pc from "picocolors";
import type { Clock, Timestamp } from "../clock.ts";
import type { CommandLine } from "./dependencies.ts";

/** A table without frames, for people; machines get `--json`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
  };
  const chars = {
    ...none,
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  };
  const made = new Table({
    head: [...head],
    chars,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}

export function colours({ colour }: Pick<CommandLine, "colour">): ReturnType<typeof pc.createColors> {
  return pc.createColors(colour);
}

/** `in 29d`, `3h ago`: the largest unit is enough to judge by. */
export function relative(at: Timestamp | undefined, clock: Clock): string {
  if (at === undefined) return "-";
  const distance = at - clock.now();
  const text = span(Math.abs(distance));
  return distance >= 0 ? `in ${text}` : `${text} ago`;
}

function span(distance: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
  ] as const;
  for (const [name, size] of units) if (distance >= size) return `${Math.floor(distance / size)}${name}`;
  return `${Math.floor(distance / 1000)}s`;
}

/** The time of day, for lines that follow one another. */
export function timeOfDay(at: Timestamp): string {
  return new Date(at).toISOString().slice(11, 23);
}
