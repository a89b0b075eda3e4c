/**
 * The few bytes of LDAP (RFC 4511, in BER) that a log-in with name and password takes. Anything else is `unsupported`.
 */
export type LdapRequest =
  | { readonly kind: "bind"; readonly id: number; readonly dn: string; readonly password: string }
  | { readonly kind: "unbind" }
  | { readonly kind: "unsupported"; readonly id: number };

/** Result codes of RFC 4511, 4.1.9. */
export const ldapResult = {
  success: 0,
  protocolError: 2,
  authMethodNotSupported: 7,
  invalidCredentials: 49,
  busy: 51,
  unwillingToPerform: 53,
} as const;

/** Thrown for bytes that can never become a message. */
export class BadLdap extends Error {
  override readonly name = "BadLdap";
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Where the next element begins. */
  readonly end: number;
}

const tag = { sequence: 0x30, integer: 0x02, text: 0x04, bind: 0x60, unbind: 0x42, simple: 0x80 };
/** A token is about 2 kB; nobody sends more than this before being known. */
const longest = 64 * 1024;

/** The first message in `bytes` and how long it is; `undefined` if more bytes have to come. @throws BadLdap */
export function readRequest(bytes: Buffer): { request: LdapRequest; length: number } | undefined {
  if (bytes.length > 0 && bytes[0] !== tag.sequence) throw new BadLdap("not an LDAP message");
  const message = readElement(bytes, 0);
  if (!message) return undefined;
  const [number, operation] = elementsOf(message.content);
  if (number?.tag !== tag.integer || !operation) throw new BadLdap("no message id or no operation");
  const id = integer(number.content);
  return { request: requestOf(id, operation), length: message.end };
}

/** A BindResponse. */
export function bindResponse(id: number, code: number, text = ""): Buffer {
  const result = [element(0x0a, [code]), element(tag.text, []), element(tag.text, Buffer.from(text))];
  const number = Buffer.alloc(4);
  number.writeInt32BE(id);
  return element(
    tag.sequence,
    Buffer.concat([element(tag.integer, number), element(0x61, Buffer.concat(result))]),
  );
}

function requestOf(id: number, operation: Element): LdapRequest {
  if (operation.tag === tag.unbind) return { kind: "unbind" };
  if (operation.tag !== tag.bind) return { kind: "unsupported", id };
  const [version, dn, password] = elementsOf(operation.content);
  if (version?.tag !== tag.integer || dn?.tag !== tag.text) throw new BadLdap("not a BindRequest");
  if (password?.tag !== tag.simple) return { kind: "unsupported", id };
  return { kind: "bind", id, dn: dn.content.toString(), password: password.content.toString() };
}

function elementsOf(content: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const next = readElement(content, at);
    if (!next) throw new BadLdap("an element is longer than what holds it");
    found.push(next);
    at = next.end;
  }
  return found;
}

/** Tag, length, content; `undefined` if `bytes` end before it does. */
function readElement(bytes: Buffer, at: number): Element | undefined {
  const [first, short] = [bytes[at], bytes[at + 1]];
  if (first === undefined || short === undefined) return undefined;
  const digits = short < 0x80 ? 0 : short - 0x80;
  if (digits > 4 || short === 0x80) throw new BadLdap("a length that LDAP does not allow");
  const start = at + 2 + digits;
  if (bytes.length < start) return undefined;
  const length = digits === 0 ? short : bytes.readUIntBE(at + 2, digits);
  if (length > longest) throw new BadLdap("too long");
  if (bytes.length < start + length) return undefined;
  return { tag: first, content: bytes.subarray(start, start + length), end: start + length };
}

function integer(content: Buffer): number {
  if (content.length < 1 || content.length > 4) throw new BadLdap("not a message id");
  return content.readIntBE(0, content.length);
}

function element(of: number, content: Buffer | readonly number[]): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.from([of, ...size, ...content]);
}
