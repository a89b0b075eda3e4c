import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { listen, type Listener } from "./sockets.ts";

/**
 * A server that speaks just enough of MySQL's protocol to log somebody in and to answer statements from a script: Azure
 * Database for MySQL as far as keyturn meets it, since Debian has no MySQL. What it means is documented under
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */
export interface MySqlServer extends Listener {
  /** User and password of every log-in, and whether it came over TLS. */
  readonly logIns: { readonly user: string; readonly password: string; readonly tls: boolean }[];
  readonly statements: string[];
}

type Row = Readonly<Record<string, string | number>>;

export interface MySqlServerOptions {
  readonly version: string;
  /** What it asks for after the greeting; Entra log-ins: `mysql_clear_password`. */
  readonly plugin: string;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The rows of a statement; an error by its number; nothing is OK. */
  readonly answer: (statement: string) => readonly Row[] | number | undefined;
}

const capability = {
  /** Set by MySQL, but not by MariaDB: how clients tell them apart. */
  isMySql: 0x1,
  connectWithDatabase: 0x8,
  protocol41: 0x200,
  ssl: 0x800,
  secureConnection: 0x8000,
  pluginAuth: 0x80000,
};

export async function startMySqlServer(options: MySqlServerOptions): Promise<MySqlServer> {
  const logIns: MySqlServer["logIns"] = [];
  const statements: string[] = [];
  const listener = await listen((socket) => {
    serve(socket, options, { logIns, statements }).catch(() => socket.destroy());
  });
  return { ...listener, logIns, statements };
}

async function serve(
  raw: Socket,
  { version, plugin, tls, answer }: MySqlServerOptions,
  { logIns, statements }: Pick<MySqlServer, "logIns" | "statements">,
): Promise<void> {
  let wire = createWire(raw);
  wire.send(0, greeting(version, tls !== undefined));
  let response = await wire.next();
  if (tls && response.body.length === 32) {
    wire.letGo();
    const secure = new TLSSocket(raw, { isServer: true, ...tls });
    secure.on("error", () => raw.destroy());
    wire = createWire(secure);
    response = await wire.next();
  }
  const user = response.body.subarray(32, response.body.indexOf(0, 32)).toString();
  const challenge = Buffer.concat([Buffer.from(`\xfe${plugin}\0`, "latin1"), Buffer.alloc(21)]);
  wire.send(response.sequence + 1, challenge);
  const password = await wire.next();
  logIns.push({ user, password: password.body.toString().replace(/\0$/, ""), tls: wire.isSecure });
  wire.send(password.sequence + 1, ok);
  for (;;) {
    const { body } = await wire.next();
    if (body[0] === 1) return void raw.end();
    const statement = body.subarray(1).toString();
    statements.push(statement);
    const result = answer(statement);
    if (typeof result === "number") wire.send(1, failure(result));
    else if (result) for (const [index, packet] of table(result).entries()) wire.send(index + 1, packet);
    else wire.send(1, ok);
  }
}

interface Packet {
  readonly sequence: number;
  readonly body: Buffer;
}

/** Packets over a socket: three bytes of length, one of sequence. */
function createWire(socket: Socket) {
  let waiting = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    wake();
  };
  let wake = () => {};
  socket.on("data", take).once("close", () => wake());
  return {
    /** What follows is for somebody else to read. */
    letGo(): void {
      socket.off("data", take).pause();
      if (waiting.length > 0) socket.unshift(waiting);
    },
    isSecure: socket instanceof TLSSocket,
    send(sequence: number, body: Buffer): void {
      const header = Buffer.alloc(4);
      header.writeUIntLE(body.length, 0, 3);
      header[3] = sequence;
      socket.write(Buffer.concat([header, body]));
    },
    async next(): Promise<Packet> {
      while (waiting.length < 4 || waiting.length < 4 + waiting.readUIntLE(0, 3)) {
        if (socket.destroyed) throw new Error("the client is gone");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const end = 4 + waiting.readUIntLE(0, 3);
      const packet = { sequence: waiting[3] ?? 0, body: waiting.subarray(4, end) };
      waiting = waiting.subarray(end);
      return packet;
    },
  };
}

function greeting(version: string, hasTls: boolean): Buffer {
  const { isMySql, connectWithDatabase, protocol41, ssl, secureConnection, pluginAuth } = capability;
  const always = connectWithDatabase | protocol41 | secureConnection | pluginAuth;
  const all = always | (hasTls ? ssl : 0) | (version.includes("MariaDB") ? 0 : isMySql);
  const numbers = Buffer.alloc(18);
  numbers.writeUInt16LE(all & 0xffff, 0);
  numbers[2] = 45; // utf8mb4
  numbers.writeUInt16LE(2, 3);
  numbers.writeUInt16LE(all >>> 16, 5);
  numbers[7] = 21;
  return Buffer.concat([
    Buffer.from(`\x0a${version}\0`),
    Buffer.from([7, 0, 0, 0]),
    Buffer.from("12345678\0"),
    numbers,
    Buffer.from("123456789012\0caching_sha2_password\0"),
  ]);
}

const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const endOfRows = Buffer.from([0xfe, 0, 0, 2, 0]);

function failure(errno: number): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16LE(errno);
  return Buffer.concat([Buffer.from([0xff]), code, Buffer.from("#HY000refused by the script")]);
}

function table(rows: readonly Row[]): Buffer[] {
  const columns = Object.entries(rows[0] ?? { empty: "" });
  return [
    Buffer.from([columns.length]),
    ...columns.map(([name, value]) => column(name, typeof value === "number" ? 8 : 253)),
    endOfRows,
    ...rows.map((row) => Buffer.concat(columns.map(([name]) => text(String(row[name]))))),
    endOfRows,
  ];
}

/** Types: 8 is LONGLONG, 253 VAR_STRING. */
function column(name: string, kind: 8 | 253): Buffer {
  const type = Buffer.from([12, 45, 0, 255, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
  return Buffer.concat([text("def"), text(""), text(""), text(""), text(name), text(name), type]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)]);
}
