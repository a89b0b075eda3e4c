import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import type { World } from "../support/world.ts";

/** Commands for another terminal, with everything they need already in them. */
export function whatToTry(world: World): string {
  const file = join(world.folder, "keyturn.env");
  const environment = { ...world.workerIdentity.env, ...world.workerEnvironment, KEYTURN_PORT: "0" };
  writeFileSync(
    file,
    Object.entries(environment)
      .map(([name, value]) => `export ${name}='${value}'\n`)
      .join(""),
  );
  const { control } = world.azure.urls;
  const malformed = `curl -s -X POST ${control}/events -H 'content-type: application/json' -d '{"queue":"keyturn-events","body":"not an event"}'`;
  const lines = [
    ["settings for the commands below", `. ${file}`],
    ["what is there, and what is due", "npm run keyturn -- status"],
    [
      "a manual rotation, step by step",
      `npm run keyturn -- rotate prod-kv/orders-db --reason "trying it" --wait`,
    ],
    ["everything the local Azure knows", `curl -s ${control}/state`],
    ["a malformed message: it ends in the dead-letter queue", malformed],
    [
      "the next write to Key Vault gets a 429",
      fault(control, { match: "PUT /secrets", status: 429, retryAfter: 2 }),
    ],
    ["drop every AMQP connection", `curl -s -X POST ${control}/amqp/drop`],
  ];
  return [
    `\n${pc.bold("What to try next")} (in another terminal, in this folder)`,
    ...lines.map(([what, command]) => `\n  ${pc.dim(`# ${what}`)}\n  ${command}`),
  ].join("\n");
}

function fault(control: string, rule: object): string {
  const body = JSON.stringify({ service: "key-vault", position: "before", times: 1, ...rule });
  return `curl -s -X PUT ${control}/faults -H 'content-type: application/json' -d '${body}'`;
}
