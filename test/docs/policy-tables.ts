import { z } from "zod";
import { policyJsonSchema } from "../../src/policy/schema.ts";

/** As much of a JSON schema as the tables show. */
interface Schema {
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly type?: string | undefined;
  readonly const?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly pattern?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: Schema | undefined;
  readonly anyOf?: readonly Schema[] | undefined;
}

const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    description: z.string().optional(),
    default: z.unknown().optional(),
    type: z.string().optional(),
    const: z.unknown().optional(),
    enum: z.array(z.unknown()).optional(),
    pattern: z.string().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    properties: z.record(z.string(), Schema).optional(),
    required: z.array(z.string()).optional(),
    items: Schema.optional(),
    anyOf: z.array(Schema).optional(),
  }),
);

const begin = /^<!-- tables: .*-->$/m;
const end = "<!-- end of tables -->";

/** The page with the tables between its two marks written anew. @throws Error if it has no marks */
export function withTables(page: string): string {
  const start = begin.exec(page);
  const stop = page.indexOf(end);
  if (!start || stop < start.index) throw new Error("the page has no place for the tables");
  const head = page.slice(0, start.index + start[0].length);
  return `${head}\n\n${policyTables()}\n${page.slice(stop)}`;
}

/** One table for the file itself, and one for each of its sections. */
function policyTables(): string {
  const schema = Schema.parse(policyJsonSchema());
  const sections = Object.entries(schema.properties ?? {});
  const top = table(schema, { flat: true });
  const rest = sections.flatMap(([name, section]) => {
    const inner = section.items ?? section;
    return inner.properties ? [`### \`${name}\`\n\n${table(inner)}`, ...nested(inner)] : [];
  });
  return [top, ...rest].join("\n");
}

/** What can be said in more than one way, such as who reads a secret, has a table for each way. */
function nested({ properties = {} }: Schema): string[] {
  return Object.entries(properties).flatMap(([name, { anyOf, items }]) =>
    (anyOf ?? items?.anyOf ?? [])
      .filter((each) => each.properties)
      .map((each) => {
        const first = Object.keys(each.properties ?? {})[0] ?? "";
        return `#### \`${name}\` with \`${first}\`\n\n${table(each)}`;
      }),
  );
}

/** `flat`: what a setting holds has a table of its own, elsewhere. */
function table(schema: Schema, { flat = false } = {}): string {
  const rows = rowsOf(schema, "", flat);
  return ["| Setting | Value | Default | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}

function rowsOf({ properties = {}, required = [] }: Schema, prefix: string, flat: boolean): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const cells = [
      `\`${prefix}${name}\``,
      valueOf(schema),
      defaultOf(name, schema, required),
      schema.description ?? "",
    ];
    const row = `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    return [row, ...(flat ? [] : rowsOf(schema, `${prefix}${name}.`, flat))];
  });
}

function valueOf(schema: Schema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(", ");
  if (schema.type === "integer") return `${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "boolean") return "`true`, `false`";
  if (schema.type === "array")
    return schema.items?.enum ? `list of ${schema.items.enum.map(code).join(", ")}` : "list";
  if (schema.type === "string") return schema.pattern?.includes("ms|s|m|h|d") ? "duration" : "text";
  return "map";
}

function defaultOf(name: string, schema: Schema, required: readonly string[]): string {
  if (required.includes(name)) return "required";
  return schema.default === undefined || typeof schema.default === "object" ? "" : code(schema.default);
}

function code(value: unknown): string {
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}
