/** Names under which people and tools pass credentials around. */
const tellingName =
  /(?:PASSWORD|PASSWD|PASSPHRASE|SECRETS?|CONNECTION_?STRINGS?|CONN_?STR|(?:^|_)PASS|(?:^|_)PWD|(?:^|_)KEYS?|(?:ACCESS|ACCOUNT|API|PRIVATE|SHARED)KEY)$|(?:CONNECTION_?STRINGS?|CONNSTR)_/i;

/** What credentials look like, whatever they are called. */
const tellingValues: readonly (readonly [pattern: RegExp, looksLike: string])[] = [
  [/(?:^|[;\s"'])AccountKey\s*=\s*[^;\s]/i, "a storage or Cosmos DB connection string (AccountKey=)"],
  [/(?:^|[;\s"'])SharedAccessKey\s*=\s*[^;\s]/i, "a Service Bus connection string (SharedAccessKey=)"],
  [/SharedAccessSignature\s*=?\s*sr=|[?&]sig=[^&\s]{20}/i, "a shared access signature"],
  [/(?:^|[;\s"'])(?:Password|Pwd)\s*=\s*[^;\s]/i, "a connection string (Password=)"],
  [/:\/\/[^\s/?#:@]*:[^\s/?#@]+@/, "a URL with a password in it (://user:password@)"],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, "a private key"],
];

/** No credentials although they look like it, or put there by the platform, the shell or the tools around us. */
const exceptions: readonly RegExp[] = [
  // The way to a managed identity's token, injected by Azure; of use only inside this container.
  /^IDENTITY_HEADER$/,
  /^MSI_SECRET$/,
  // Names a place to send telemetry to; its instrumentation key is public by design.
  /^APPLICATIONINSIGHTS_CONNECTION_STRING$/,
  // Read by the OpenTelemetry exporters; the last is the path of a file.
  /^OTEL_\w+_HEADERS$/,
  /^OTEL_\w+_CLIENT_KEY$/,
  /^(?:OLD)?PWD$/i,
  /^NODE_/,
  /^npm_/i,
  /^SSH_/,
  // Fingerprint of a signing key, in many base images.
  /^GPG_KEYS?$/,
  /^KEYTURN_TEST_/,
];

/** What is wrong with each variable that holds a credential, by name and never with its value. */
export function secretsInEnvironment(env: NodeJS.ProcessEnv, only: RegExp = /^/): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (!value || !only.test(name) || exceptions.some((exception) => exception.test(name))) return [];
    const looksLike = tellingName.test(name)
      ? "a credential, by its name"
      : tellingValues.find(([pattern]) => pattern.test(value))?.[1];
    if (!looksLike) return [];
    return [
      `${name} holds ${looksLike}; keyturn logs in everywhere with its managed identity and takes no credential from the environment, remove it`,
    ];
  });
}
