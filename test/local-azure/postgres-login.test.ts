import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { ldapResult } from "./ldap-bind.ts";
import { startPostgresLogin } from "./postgres-login.ts";
import { addIdentity } from "./resources.ts";
import { createState, type AzureState, type Identity } from "./state.ts";
import { createTokenAuthority, type TokenAuthority } from "./tokens.ts";

const audience = "https://ossrdbms-aad.database.windows.net";
let state: AzureState;
let tokens: TokenAuthority;
let identity: Identity;
let login: Awaited<ReturnType<typeof startPostgresLogin>>;

beforeEach(async () => {
  state = createState(systemClock);
  tokens = await createTokenAuthority(state);
  identity = addIdentity(state, "worker");
  state.postgresRoles.set("keyturn", identity.principalId);
  login = await startPostgresLogin(state, tokens);
});

afterEach(() => login.close());

// Written out by hand, so that a mistake in the reader is not repeated in what it reads.
function ber(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function bindRequest(role: string, password: string, id = 1, method = 0x80): Buffer {
  const operation = ber(
    0x60,
    ber(2, Buffer.from([3])),
    ber(4, Buffer.from(`cn=${role},o=azure`)),
    ber(method, Buffer.from(password)),
  );
  return ber(0x30, ber(2, Buffer.from([id])), operation);
}

/** Sends `chunks` one by one and resolves with the result code of the first answer, `undefined` if there is none. */
async function send(...chunks: Buffer[]): Promise<number | undefined> {
  const socket = connect(login.port, "127.0.0.1");
  socket.setNoDelay(true);
  await once(socket, "connect");
  const answer = new Promise<number | undefined>((resolve) => {
    // 30 len 02 04 <id> 61 len 0a 01 <code> ...
    socket.once("data", (bytes: Buffer) => resolve(bytes[12]));
    socket.once("close", () => resolve(undefined));
    socket.on("error", () => resolve(undefined));
  });
  for (const chunk of chunks) await new Promise((resolve) => socket.write(chunk, resolve));
  const code = await answer;
  socket.destroy();
  return code;
}

async function tokenFor(of: Identity = identity, resource = audience, lifetime?: number): Promise<string> {
  return (await tokens.issue(of, resource, lifetime)).token;
}

test("the principal that belongs to the role logs in with its token", async () => {
  expect(await send(bindRequest("keyturn", await tokenFor()))).toBe(ldapResult.success);
  expect(state.calls).toMatchObject([
    { service: "postgres-login", call: "bind keyturn", status: 0, principalId: identity.principalId },
  ]);
});

test("a request that arrives byte by byte is the same request", async () => {
  const bytes = bindRequest("keyturn", await tokenFor());
  const pieces = [bytes.subarray(0, 1), bytes.subarray(1, 3), bytes.subarray(3, 500), bytes.subarray(500)];
  expect(await send(...pieces)).toBe(ldapResult.success);
});

test("another audience, an expired token, another principal's, another role and no token are refused", async () => {
  const other = addIdentity(state, "other");
  const refused = [
    bindRequest("keyturn", await tokenFor(identity, "https://vault.azure.net")),
    bindRequest("keyturn", await tokenFor(identity, audience, -1)),
    bindRequest("keyturn", await tokenFor(other)),
    bindRequest("orders_a", await tokenFor()),
    bindRequest("", await tokenFor()),
    bindRequest("keyturn", ""),
    bindRequest("keyturn", "a-password"),
  ];
  for (const request of refused) expect(await send(request)).toBe(ldapResult.invalidCredentials);
});

test("what is no simple bind is turned down", async () => {
  const sasl = bindRequest("keyturn", "x", 1, 0xa3);
  expect(await send(sasl)).toBe(ldapResult.authMethodNotSupported);
});

test.each<[string, Buffer]>([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["a length without end", Buffer.from([0x30, 0x80, 0, 0])],
  ["a length of gigabytes", Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff])],
  ["a length of nine digits", Buffer.from([0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1])],
  ["an inner element longer than the outer", Buffer.from([0x30, 0x03, 0x02, 0x7f, 0x01])],
  ["an empty message", Buffer.from([0x30, 0x00])],
  ["a message id of no bytes", Buffer.from([0x30, 0x04, 0x02, 0x00, 0x42, 0x00])],
  ["a bind without content", Buffer.from([0x30, 0x05, 0x02, 0x01, 0x01, 0x60, 0x00])],
])("%s ends the connection and nothing else", async (_what, bytes) => {
  expect(await send(bytes)).toBeUndefined();
  expect(await send(bindRequest("keyturn", await tokenFor()))).toBe(ldapResult.success);
});

test("a fault cuts the connection or refuses, once", async () => {
  const rule = { id: "f", service: "postgres-login", match: "bind keyturn", times: 1 } as const;
  const bind = bindRequest("keyturn", await tokenFor());
  state.faults.push({ ...rule, position: "before" });
  expect(await send(bind)).toBeUndefined();
  state.faults.push({ ...rule, position: "before", status: 401 });
  expect(await send(bind)).toBe(ldapResult.invalidCredentials);
  state.faults.push({ ...rule, position: "lost" });
  expect(await send(bind)).toBeUndefined();
  expect(await send(bind)).toBe(ldapResult.success);
});

test("closing ends open connections", async () => {
  const socket = connect(login.port, "127.0.0.1");
  await once(socket, "connect");
  const closed = once(socket, "close");
  await login.close();
  await closed;
  login = await startPostgresLogin(state, tokens);
});
