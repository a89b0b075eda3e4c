import { webcrypto } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A certificate for all services of the local Azure, and the authority that clients have to trust. */
export interface Certificates {
  readonly ca: { readonly pem: string; readonly file: string };
  readonly cert: string;
  readonly key: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const day = 24 * 3600 * 1000;

/**
 * Makes an authority and a leaf that it signed, and writes `ca.pem` into `folder`. Node takes one file of extra
 * authorities only, so those of `extra`, a file that is trusted already, go into it too.
 */
export async function createCertificates(folder: string, extra?: string): Promise<Certificates> {
  const x509 = await loadX509();
  const authority = await newKeys();
  const leaf = await newKeys();
  const validity = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 90 * day) };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: "CN=keyturn local Azure",
    keys: authority,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  const cert = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: "CN=localhost",
    issuer: ca.subject,
    publicKey: leaf.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1"]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        // `*.localhost` would never match: Node and OpenSSL want three labels.
        { type: "dns", value: "*.vault.localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
    ],
  });
  const pem = `${ca.toString("pem")}\n`;
  const file = join(folder, "ca.pem");
  await writeFile(file, extra ? `${pem}${await readFile(extra, "utf8").catch(() => "")}` : pem);
  return { ca: { pem, file }, cert: cert.toString("pem"), key: await exportKey(leaf.privateKey) };
}

/**
 * The library's container insists on a metadata polyfill although the classes it builds take no constructor
 * parameters, for which "no metadata" is the right answer. Two functions spare a dependency.
 */
async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  if (!("getMetadata" in Reflect)) Object.assign(Reflect, { getMetadata: nothing, getOwnMetadata: nothing });
  return await import("@peculiar/x509");
}

function nothing(): undefined {
  return undefined;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
}
