import type { Message } from "rhea";
import { z } from "zod";
import type { AzureState, QueueState } from "../state.ts";
import { decode, encode } from "./amqp-message.ts";
import {
  type Answer,
  type Bus,
  type Client,
  notFound,
  operate,
  refusalOf,
  refused,
  withoutManagement,
} from "./bus.ts";
import { lockLost } from "./dispositions.ts";
import { findQueue, receiveAction, sendAction } from "./entities.ts";
import { fromUuidBytes, toUuidBytes } from "./lock-token.ts";
import { type Settlement, cancelScheduled, enqueue, peek, receiveDeferred, renew, settle } from "./queue.ts";
import { rhea } from "./rhea-internals.ts";

/** AMQP type codes that the SDK expects in arrays of the answers. */
const [long, timestamp] = [0x81, 0x83];

const Bytes = z.instanceof(Uint8Array);
const SequenceNumbers = z.array(z.number());
const LockTokens = z.array(Bytes.transform(fromUuidBytes));

const RenewLock = z.object({ "lock-tokens": LockTokens });
const Peek = z.object({ "from-sequence-number": z.number(), "message-count": z.number() });
const Schedule = z.object({ messages: z.array(z.object({ message: Bytes })) });
const CancelScheduled = z.object({ "sequence-numbers": SequenceNumbers });
const ReceiveDeferred = z.object({
  "sequence-numbers": SequenceNumbers,
  "receiver-settle-mode": z.union([z.literal(0), z.literal(1)]),
});
const outcomes = {
  completed: "complete",
  abandoned: "abandon",
  defered: "defer",
  suspended: "deadletter",
} as const;
const UpdateDisposition = z.object({
  "lock-tokens": LockTokens,
  "disposition-status": z.literal(["completed", "abandoned", "defered", "suspended"]),
  "deadletter-reason": z.string().optional(),
  "deadletter-description": z.string().optional(),
  "properties-to-modify": z.record(z.string(), z.unknown()).optional(),
});
type UpdateDisposition = z.infer<typeof UpdateDisposition>;

/** A request that has been understood. */
interface Request {
  /** As in call records and fault rules. */
  readonly call: string;
  readonly action: string;
  run(state: AzureState, queue: QueueState): Answer;
}

/** An operation on bodies of one shape; of any other it makes `undefined`. */
function operation<T>(
  call: string | ((body: T) => string),
  action: string,
  schema: z.ZodType<T>,
  run: (state: AzureState, queue: QueueState, body: T) => Answer,
): (body: unknown) => Request | undefined {
  return (body) => {
    const { data } = schema.safeParse(body);
    if (data === undefined) return undefined;
    return {
      call: typeof call === "string" ? call : call(data),
      action,
      run: (state, queue) => run(state, queue, data),
    };
  };
}

const operations: Readonly<Record<string, ReturnType<typeof operation>>> = {
  "com.microsoft:renew-lock": operation("renew", receiveAction, RenewLock, (state, queue, body) => {
    const ends = body["lock-tokens"].map((token) => renew(state, queue, token));
    const known = ends.filter((end) => end !== undefined);
    if (known.length < ends.length) return lockLost();
    return { status: 200, body: { expirations: arrayOf(known, timestamp) } };
  }),
  "com.microsoft:peek-message": operation("peek", receiveAction, Peek, (state, queue, body) => {
    const messages = peek(state, queue, body["from-sequence-number"], body["message-count"]);
    if (messages.length === 0) return { status: 204 };
    return { status: 200, body: { messages: messages.map((message) => ({ message: encode(message) })) } };
  }),
  "com.microsoft:schedule-message": operation("schedule", sendAction, Schedule, (state, queue, body) => {
    const made = body.messages.map(({ message }) => enqueue(state, queue, decode(message)));
    const numbers = made.map((message) => message.sequenceNumber);
    return { status: 200, body: { "sequence-numbers": arrayOf(numbers, long) } };
  }),
  "com.microsoft:cancel-scheduled-message": operation(
    "cancel",
    sendAction,
    CancelScheduled,
    (state, queue, body) => {
      return cancelScheduled(state, queue, body["sequence-numbers"]) ? { status: 200 } : messageNotFound();
    },
  ),
  "com.microsoft:receive-by-sequence-number": operation(
    "receive-deferred",
    receiveAction,
    ReceiveDeferred,
    (state, queue, body) => {
      const mode = body["receiver-settle-mode"] === 0 ? "take" : "lock";
      const messages = receiveDeferred(state, queue, body["sequence-numbers"], mode);
      if (!messages) return messageNotFound();
      const answered = messages.map((message) => ({
        message: encode(message),
        ...(message.lock ? { "lock-token": toUuidBytes(message.lock.token) } : {}),
      }));
      return { status: 200, body: { messages: answered } };
    },
  ),
  "com.microsoft:update-disposition": operation(
    (body) => settlementOf(body).outcome,
    receiveAction,
    UpdateDisposition,
    (state, queue, body) => {
      const done = body["lock-tokens"].every((token) => settle(state, queue, token, settlementOf(body)));
      return done ? { status: 200 } : lockLost();
    },
  ),
};

/** A request to `<queue>/$management`: what the SDK does not do on the links to the queue itself. */
export async function onManagementRequest(
  bus: Bus,
  client: Client,
  address: string,
  message: Message,
): Promise<void> {
  const understand = operations[String(message.application_properties?.operation)];
  const request = understand?.(message.body);
  const path = withoutManagement(address);
  const answer = await operate(bus, client, request?.call ?? "manage", path, () => {
    if (!understand) return refused(501, "The local Service Bus does not know this operation.");
    if (!request) return refused(400, "The local Service Bus does not understand the body of this request.");
    const refusal = refusalOf(bus, client, address, request.action);
    const queue = findQueue(bus.state, path);
    if (refusal || !queue) return refusal ?? notFound(path);
    return request.run(bus.state, queue);
  });
  if (answer) reply(client, message, answer);
  bus.changed();
}

function reply(client: Client, request: Message, answer: Answer): void {
  client.replies.get(request.reply_to ?? "")?.send({
    to: request.reply_to,
    correlation_id: request.message_id,
    application_properties: {
      statusCode: answer.status,
      statusDescription: answer.error?.description ?? "OK",
      ...(answer.error?.condition ? { errorCondition: answer.error.condition } : {}),
    },
    body: answer.body ?? {},
  });
}

function settlementOf(body: UpdateDisposition): Settlement {
  const properties = body["properties-to-modify"] ?? {};
  const outcome = outcomes[body["disposition-status"]];
  if (outcome === "complete") return { outcome };
  if (outcome !== "deadletter") return { outcome, properties };
  return {
    outcome,
    reason: body["deadletter-reason"],
    description: body["deadletter-description"],
    properties,
  };
}

function messageNotFound(): Answer {
  return refused(404, "Some of the messages could not be found.", "com.microsoft:message-not-found");
}

function arrayOf(values: readonly number[], type: number) {
  return rhea.types.wrap_array(values, type, undefined);
}
