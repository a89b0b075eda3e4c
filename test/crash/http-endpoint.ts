import { z } from "zod";
import type { Clock, Timestamp } from "../../src/clock.ts";
import { authenticate } from "../local-azure/http.ts";
import type { HttpService } from "../local-azure/state.ts";
import type { TokenAuthority } from "../local-azure/tokens.ts";

interface Slot {
  value: string | undefined;
  /** Until then not all of the system has heard of the last change. */
  spreadUntil: Timestamp;
}

export interface EndpointInMemory {
  readonly slots: ReadonlyMap<string, Slot>;
  readonly clock: Clock;
  readonly tokens: TokenAuthority;
  readonly audience: string;
}

const Body = z.object({
  credentials: z.array(z.object({ id: z.string().optional(), value: z.string() })).default([]),
  credential: z.object({ id: z.string(), value: z.string().optional() }).default({ id: "" }),
});
type Body = z.infer<typeof Body>;

const spreads = 8_000;

/** The protocol of `src/rotators/http.md` on a virtual clock: what is taken is in effect some seconds later. */
export function createEndpointInMemory(endpoint: EndpointInMemory): HttpService {
  return async (request) => {
    const caller = await authenticate(endpoint.tokens, request, [endpoint.audience]);
    if ("refused" in caller) return status(401);
    const body = Body.parse(await request.json());
    const call = new URL(request.url).pathname.split("/").at(-1) ?? "";
    if (call === "observe") return observe(endpoint, body);
    const slot = endpoint.slots.get(body.credential.id);
    if (!slot) return status(410);
    if (call !== "verify")
      return change(endpoint, slot, call === "apply" ? body.credential.value : undefined);
    if (isSpreading(endpoint, slot)) return status(202);
    return status(slot.value === body.credential.value ? 204 : 422);
  };
}

function change({ clock }: EndpointInMemory, slot: Slot, value: string | undefined): Response {
  if (slot.value !== value) Object.assign(slot, { value, spreadUntil: clock.now() + spreads });
  return status(clock.now() < slot.spreadUntil ? 202 : 204);
}

function observe(endpoint: EndpointInMemory, { credentials }: Body): Response {
  const { slots } = endpoint;
  const answers = credentials.map(({ id, value }) => {
    const name = id ?? [...slots].find(([, slot]) => slot.value === value)?.[0];
    const slot = slots.get(name ?? "");
    if (!slot) return { acceptance: "rejected" };
    if (isSpreading(endpoint, slot)) return { acceptance: "unknown", id: name };
    return { acceptance: slot.value === value ? "accepted" : "rejected", id: name };
  });
  return Response.json({ exists: [...slots.keys()], credentials: answers });
}

function isSpreading({ clock }: EndpointInMemory, { spreadUntil }: Slot): boolean {
  return clock.now() < spreadUntil;
}

function status(code: number): Response {
  return new Response(null, { status: code });
}
