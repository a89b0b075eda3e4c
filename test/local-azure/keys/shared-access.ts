import { createHmac } from "node:crypto";
import type { AzureState } from "../state.ts";
import { acceptedKeys } from "./resources.ts";
import type { KeyedResourceState } from "./state.ts";

/** Service Bus and Event Hubs over HTTPS: https://learn.microsoft.com/rest/api/eventhub/generate-sas-token */
export function answerSharedAccess(
  request: Request,
  { id: ruleId }: KeyedResourceState,
  state: AzureState,
): Response {
  const url = new URL(request.url);
  const namespaceId = ruleId.split("/").slice(0, 9).join("/").toLowerCase();
  const rules = [...state.keyedResources.values()].filter(({ id }) =>
    id.toLowerCase().startsWith(`${namespaceId}/`),
  );
  const text = (request.headers.get("authorization") ?? "").replace(/^SharedAccessSignature /, "");
  const given = new URLSearchParams(text);
  const audience = URL.parse(given.get("sr") ?? "");
  const entity = url.pathname.slice(1).toLowerCase();
  const reach = (audience?.pathname.slice(1) ?? "").toLowerCase();
  const isMeant = audience?.hostname === url.hostname && (reach === "" || entity === reach);
  if (!isMeant)
    return refuse("InvalidAudience: The authorization header contains a token with a wrong audience.");
  if (!(Number(given.get("se")) * 1000 > state.clock.now()))
    return refuse("ExpiredToken: The token is expired.");
  const rule = rules.find((one) => isNamed(one, given.get("skn"), reach));
  if (!rule || !isSigned(rule, given, state))
    return refuse("InvalidSignature: The token has an invalid signature.");
  if (rule.keysOff)
    return refuse("LocalAuthDisabled: SAS authentication has been disabled for the namespace.");
  if (!rule.rights.includes("Manage")) return refuse("Manage,EntityRead claims required for this operation.");
  const exists = entity.startsWith("$") || rules.some((one) => entityOf(one) === entity);
  return exists
    ? new Response("<entry/>")
    : new Response("<Error><Code>404</Code><Detail>No such entity.</Detail></Error>", { status: 404 });
}

/** Rules of the namespace reach everything in it, those of an entity only that. */
function isNamed(rule: KeyedResourceState, name: string | null, reach: string): boolean {
  const entity = entityOf(rule);
  return rule.id.split("/").at(-1) === name && (entity === undefined || entity === reach);
}

function entityOf({ id }: KeyedResourceState): string | undefined {
  const steps = id.split("/");
  return steps.length > 11 ? steps[10]?.toLowerCase() : undefined;
}

function isSigned(rule: KeyedResourceState, given: URLSearchParams, { clock }: AzureState): boolean {
  const text = `${encodeURIComponent(given.get("sr") ?? "")}\n${given.get("se")}`;
  const signatures = acceptedKeys(rule, clock).map((key) =>
    createHmac("sha256", key).update(text).digest("base64"),
  );
  return signatures.includes(given.get("sig") ?? "");
}

function refuse(detail: string): Response {
  return new Response(`<Error><Code>401</Code><Detail>${detail} TrackingId:0</Detail></Error>`, {
    status: 401,
  });
}
