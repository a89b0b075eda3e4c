/** Names of our span attributes, metrics and log fields: one place, so that queries can rely on them. */
export const attribute = {
  secret: "keyturn.secret",
  vault: "keyturn.vault",
  version: "keyturn.version",
  rotation: "keyturn.rotation",
  rotator: "keyturn.rotator",
  credential: "keyturn.credential",
  group: "keyturn.group",
  stage: "keyturn.stage",
  trigger: "keyturn.trigger",
  mode: "keyturn.mode",
  request: "keyturn.request",
  action: "keyturn.action",
  outcome: "keyturn.outcome",
  code: "keyturn.code",
  event: "keyturn.event",
} as const;
