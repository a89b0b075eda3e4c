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
  const top = table("Setting", schema);
  const rest = sections.flatMap(([name, section]) => {
    const inner = section.items ?? section;
    return inner.properties ? [`### \`${name}\`\n\n${table("Setting", inner)}`, ...nested(inner)] : [];
  });
  return [top, ...rest].join("\n");
}

/** What a secret says of its dependents has a shape of its own. */
function nested({ properties = {} }: Schema): string[] {
  return Object.entries(properties).flatMap(([name, { items }]) =>
    (items?.anyOf ?? [])
      .filter((each) => each.properties)
      .map((each) => {
        const first = Object.keys(each.properties ?? {})[0] ?? "";
        return `#### \`${name}\` with \`${first}\`\n\n${table("Setting", each)}`;
      }),
  );
}

function table(title: string, { properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const cells = [
      `\`${name}\``,
      valueOf(schema),
      defaultOf(name, schema, required),
      schema.description ?? "",
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [`| ${title} | Value | Default | Meaning |`, "|---|---|---|---|", ...rows, ""].join("\n");
}

function valueOf(schema: Schema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(", ");
  if (schema.type === "integer") return `${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "boolean") return "`true`, `false`";
  if (schema.type === "array") return "list";
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
