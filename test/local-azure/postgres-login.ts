import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { recordCall, takeFault } from "./faults.ts";
import { BadLdap, bindResponse, type LdapRequest, ldapResult, readRequest } from "./ldap-bind.ts";
import type { AzureState, FaultRule } from "./state.ts";
import { type TokenAuthority, TokenRefused } from "./tokens.ts";

const audience = "https://ossrdbms-aad.database.windows.net";

/** `undefined` = the connection is cut. */
type Answer = Buffer | undefined;
type Bind = Extract<LdapRequest, { kind: "bind" }>;

/**
 * Lets a real PostgreSQL take an access token as the password of an Entra principal, as Azure Database for PostgreSQL
 * does. PostgreSQL asks this LDAP server, which it is told of in pg_hba.conf:
 *
 *     hostssl all +azure_ad 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=<port> ldapprefix="cn=" ldapsuffix=",o=azure"
 *
 * A log-in succeeds if the token is for Azure's databases, still valid, and that of the principal that
 * `state.postgresRoles` names for the role. Fault rules match `bind <role>`.
 */
export async function startPostgresLogin(
  state: AzureState,
  tokens: TokenAuthority,
  options: { readonly port?: number } = {},
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    serve(socket, (bind) => answer(bind, state, tokens));
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Takes one message after the other; bytes that are no LDAP end the connection. */
function serve(socket: Socket, answerTo: (bind: Bind) => Promise<Answer>): void {
  let waiting = Buffer.alloc(0);
  let answering = Promise.resolve();
  const handle = async (request: LdapRequest) => {
    if (request.kind === "unbind") {
      socket.end();
      return;
    }
    const reply =
      request.kind === "bind"
        ? await answerTo(request)
        : bindResponse(request.id, ldapResult.authMethodNotSupported, "only simple binds are answered");
    if (reply) socket.write(reply);
    else socket.destroy();
  };
  socket.on("data", (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes]);
    try {
      for (let next = readRequest(waiting); next; next = readRequest(waiting)) {
        const { request, length } = next;
        waiting = waiting.subarray(length);
        answering = answering.then(() => handle(request)).catch(() => void socket.destroy());
      }
    } catch (error) {
      if (!(error instanceof BadLdap)) throw error;
      socket.destroy();
    }
  });
}

async function answer(bind: Bind, state: AzureState, tokens: TokenAuthority): Promise<Answer> {
  const [, role = ""] = /^cn=(.*),o=azure$/s.exec(bind.dn) ?? [];
  const call = `bind ${role}`;
  const before = takeFault(state, "postgres-login", call, ["before"]);
  if (before?.delay) await state.clock.sleep(before.delay);
  if (before && (before.status || !before.delay)) return play(before, bind);
  const { code, text, principalId } = await check(role, bind.password, state, tokens);
  recordCall(state, { service: "postgres-login", call, status: code, principalId });
  const after = takeFault(state, "postgres-login", call, ["after", "lost"]);
  if (after?.delay) await state.clock.sleep(after.delay);
  return after ? play(after, bind) : bindResponse(bind.id, code, text);
}

/** A rule with a status refuses as a busy server does; one without cuts the connection. */
function play({ status, position }: FaultRule, { id }: Bind): Answer {
  if (!status || position === "lost") return undefined;
  return bindResponse(id, status === 401 ? ldapResult.invalidCredentials : ldapResult.busy, "fault injected");
}

interface Verdict {
  readonly code: number;
  readonly text: string;
  readonly principalId: string | undefined;
}

async function check(
  role: string,
  password: string,
  state: AzureState,
  tokens: TokenAuthority,
): Promise<Verdict> {
  const allowed = state.postgresRoles.get(role);
  if (!allowed) return refuse("no principal may log in as this role");
  try {
    const { oid } = await tokens.verify(password, [audience]);
    if (oid !== allowed) return refuse("the token is another principal's", oid);
    return { code: ldapResult.success, text: "", principalId: oid };
  } catch (error) {
    if (error instanceof TokenRefused) return refuse(error.message);
    throw error;
  }
}

function refuse(text: string, principalId?: string): Verdict {
  return { code: ldapResult.invalidCredentials, text, principalId };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}
