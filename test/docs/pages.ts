import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** A page that people read, by its path from the root. */
export interface Page {
  readonly file: string;
  readonly text: string;
}

export function allPages(): Page[] {
  const files = globSync(["*.md", ".github/*.md", "docs/**/*.md", "deploy/*.md", "src/**/*.md"], {
    cwd: root,
  });
  return files.toSorted().map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
}

export interface Block {
  /** `sh`, `yaml`, ... and whatever follows it. */
  readonly info: string;
  readonly text: string;
}

export function blocksOf({ text }: Page): Block[] {
  return [...text.matchAll(/^( *)```(.*)\n([\s\S]*?)^\1```$/gm)].map(([, , info = "", body = ""]) => ({
    info,
    text: body,
  }));
}

/** Links to files of the project, as `path#anchor` from the root. */
export function linksOf({ file, text }: Page): string[] {
  const targets = [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = "", anchor] = target.split("#");
      const full = path === "" ? file : relative(root, resolve(root, dirname(file), path));
      return anchor === undefined ? full : `${full}#${anchor}`;
    });
}

/** The anchors that GitHub makes of a page's headings. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** A comment of a shell is no heading. */
function withoutBlocks(text: string): string {
  return text.replace(/^( *)```[\s\S]*?^\1```$/gm, "");
}
