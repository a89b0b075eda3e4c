import type { Message } from "rhea";
import { z } from "zod";
import { type Claims, TokenRefused } from "../tokens.ts";
import { type Answer, type Bus, type Client, operate, refused } from "./bus.ts";

const audience = "https://servicebus.azure.net";

const PutToken = z.object({
  body: z.string(),
  application_properties: z.object({
    operation: z.literal("put-token"),
    type: z.literal("jwt"),
    /** `sb://host:port/entity` */
    name: z.url(),
  }),
});

/** Claims-based security: takes a token for one entity of this connection. @see AMQP CBS 1.0, section 3 */
export async function onPutToken(bus: Bus, client: Client, request: Message): Promise<void> {
  const parsed = PutToken.safeParse(request);
  const path = parsed.success ? pathOf(parsed.data.application_properties.name) : "?";
  const answer = await operate(bus, client, "put-token", path, () =>
    parsed.success
      ? putToken(bus, client, path, parsed.data.body)
      : refused(400, "Only put-token of a jwt is known."),
  );
  if (!answer) return;
  client.replies.get(request.reply_to ?? "")?.send({
    to: request.reply_to,
    correlation_id: request.message_id,
    application_properties: {
      "status-code": answer.status,
      "status-description": answer.error?.description ?? "Accepted",
    },
    body: "",
  });
}

async function putToken(bus: Bus, client: Client, path: string, token: string): Promise<Answer> {
  try {
    const claims: Claims = await bus.tokens.verify(token, [audience]);
    client.claims.set(path.toLowerCase(), claims);
    bus.alarm.set(claims.exp * 1000);
    return { status: 202 };
  } catch (error) {
    if (error instanceof TokenRefused) return refused(401, `InvalidToken: ${error.message}`);
    throw error;
  }
}

function pathOf(name: string): string {
  return decodeURIComponent(new URL(name).pathname).replace(/^\//, "");
}

/** Closes the links whose token has run out; the client is expected to put a new one and attach again. */
export function expireTokens(bus: Bus): void {
  const now = bus.state.clock.now();
  for (const client of bus.clients.values()) {
    for (const [path, claims] of client.claims) {
      if (claims.exp * 1000 <= now) client.claims.delete(path);
      else bus.alarm.set(claims.exp * 1000);
    }
    for (const [link, path] of client.links) {
      if (client.claims.has(path.toLowerCase())) continue;
      client.links.delete(link);
      if (!link.is_receiver())
        bus.consumers.forEach((_, sender) => sender === link && bus.consumers.delete(sender));
      link.close({ condition: "amqp:unauthorized-access", description: `ExpiredToken: '${path}'.` });
    }
  }
}
