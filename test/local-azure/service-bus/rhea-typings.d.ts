import type { Socket } from "node:net";

/**
 * What the local Service Bus needs of rhea 3.0.5 and rhea's types do not declare. All uses are in
 * rhea-internals.ts, with the reason for each.
 */
declare module "rhea/typings/link.js" {
  interface link {
    readonly local: { readonly attach: Record<string, unknown> };
  }
  interface Sender {
    credit: number;
    delivery_count: number;
    issue_flow: boolean;
    _draining: boolean;
    _get_drain(): boolean;
  }
}

declare module "rhea/typings/session.js" {
  interface Session {
    output(frame: object): void;
    readonly outgoing: {
      readonly next_delivery_id: number;
      readonly next_pending_delivery: number;
      available(): number;
    };
  }
}

declare module "rhea/typings/connection.js" {
  interface Connection {
    readonly socket: Socket;
    abort_socket(socket: Socket): void;
    _register(): void;
  }
}
