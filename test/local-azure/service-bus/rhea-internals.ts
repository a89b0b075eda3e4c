import { createRequire } from "node:module";
import rhea, { type AmqpError, type Connection, type Delivery, type Receiver, type Sender } from "rhea";

interface Disposition {
  readonly role: boolean;
  readonly first: number;
  readonly last: number;
  readonly settled: boolean;
  readonly state: object;
}

interface Outcomes {
  accepted(): { described(): object };
  rejected(fields: { error: AmqpError }): { described(): object };
}

const load = createRequire(import.meta.url);
const frames: { disposition(fields: Disposition): object } = load("rhea/lib/frames.js");
const outcomes: Outcomes = load("rhea/lib/message.js");

export { rhea };

/**
 * Settles one delivery with a frame of its own. rhea's `write_dispositions` never compares the first two entries of a
 * tick and would send two different outcomes as a range with the first one's. Both settled flags are set because the
 * other side never settles back, and the session's ring of deliveries would fill up.
 */
export function settleDelivery(link: Sender | Receiver, delivery: Delivery, error?: AmqpError): void {
  const state = error ? outcomes.rejected({ error }) : outcomes.accepted();
  link.session.output(
    frames.disposition({
      role: link.is_receiver(),
      first: delivery.id,
      last: delivery.id,
      settled: true,
      state: state.described(),
    }),
  );
  Object.assign(delivery, { settled: true, remote_settled: true });
}

/** Answers an attach in the settle modes that the client asked for; rhea would answer its own defaults. */
export function echoSettleModes(link: Sender | Receiver): void {
  const { attach } = link.local;
  attach.snd_settle_mode = link.snd_settle_mode;
  attach.rcv_settle_mode = link.rcv_settle_mode;
}

/** Everything on this link is sent settled: for answers to requests, which nobody has to confirm. */
export function sendSettled(link: Sender): void {
  link.local.attach.snd_settle_mode = 1;
}

/** `createMessageBatch` of the SDK goes by what the attach says. */
export function setMaxMessageSize(link: Receiver, bytes: number): void {
  link.local.attach.max_message_size = bytes;
}

/** How many more messages can be sent now. rhea counts credit down only when a frame leaves, later in the tick. */
export function freeCredit(sender: Sender): number {
  const { outgoing } = sender.session;
  const waiting = outgoing.next_delivery_id - outgoing.next_pending_delivery;
  return Math.min(sender.credit - waiting, outgoing.available());
}

/**
 * Answers a drain, also with no credit left: rhea would keep silent then, and the client closes the link after 200 ms.
 * It runs after what was sent in this tick has left.
 */
export function answerDrain(sender: Sender): void {
  setImmediate(() => {
    sender._get_drain = () => {
      if (!sender._draining) return false;
      sender.delivery_count += sender.credit;
      sender.credit = 0;
      sender._draining = false;
      return true;
    };
    sender.issue_flow = true;
    sender.connection._register();
  });
}

/** Closes a link so that whatever leaves in this turn before it, such as the answer to its attach, arrives with it. */
export function closeInOneWrite(link: Sender | Receiver, error: AmqpError): void {
  const { socket } = link.connection;
  socket.cork();
  link.close(error);
  setImmediate(() => socket.uncork());
}

/** Cuts the connection without an AMQP close. `abort_socket` also stops rhea's timers, `destroy` alone would not. */
export function cutConnection(connection: Connection): void {
  connection.abort_socket(connection.socket);
  connection.socket.on("error", () => {});
}
