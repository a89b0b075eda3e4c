import { Fault } from "../errors.ts";

/** What a database's client threw before or without an answer of the server: network, TLS, time. `at` names the server. */
export function connectionFault(error: unknown, at: string): Fault {
  const code = codeOf(error) || codeOf(error instanceof Error ? error.cause : undefined);
  if (/^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_)/.test(code))
    return new Fault(
      "unexpected-response",
      `${at} shows no certificate that is valid for it (${code}); nothing was sent to it`,
    );
  return new Fault(
    "unavailable",
    `${at} cannot be reached${code ? ` (${code})` : ", or did not answer in time"}`,
  );
}

export function offersNoTls(at: string): Fault {
  return new Fault("unexpected-response", `${at} offers no TLS; nothing was sent to it`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
