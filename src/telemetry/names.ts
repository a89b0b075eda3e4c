/** Names of our span attributes, metrics and log fields: one place, so that queries can rely on them. */
export const attribute = {
  secret: "keyturn.secret",
  vault: "keyturn.vault",
  version: "keyturn.version",
  rotation: "keyturn.rotation",
  rotator: "keyturn.rotator",
  credential: "keyturn.credential",
  group: "keyturn.group",
  resource: "keyturn.resource",
  stage: "keyturn.stage",
  trigger: "keyturn.trigger",
  mode: "keyturn.mode",
  request: "keyturn.request",
  action: "keyturn.action",
  outcome: "keyturn.outcome",
  code: "keyturn.code",
  /** Of OpenTelemetry's semantic conventions: on every span that failed. */
  errorType: "error.type",
  event: "keyturn.event",
  actor: "keyturn.actor",
  reason: "keyturn.reason",
  from: "keyturn.from",
  to: "keyturn.to",
} as const;

export const metric = {
  rotations: "keyturn.rotations",
  rotationDuration: "keyturn.rotation.duration",
  openRotations: "keyturn.rotations.open",
  jobs: "keyturn.jobs",
  jobDuration: "keyturn.job.duration",
  restarts: "keyturn.restarts",
  messages: "keyturn.intake.messages",
  expiry: "keyturn.secret.expiry",
  oldCredential: "keyturn.credential.old_alive",
} as const;
