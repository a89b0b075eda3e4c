import { createHmac } from "node:crypto";
import { azureError, withFaults } from "../http.ts";
import type { AzureState, HttpService } from "../state.ts";
import { answerSharedAccess } from "./shared-access.ts";
import { acceptedKeys } from "./resources.ts";
import { isGranted } from "./shared-access-signature.ts";
import type { KeyedResourceState } from "./state.ts";

type Service = (request: Request, resource: KeyedResourceState, state: AzureState) => Response;

const services: Readonly<Record<string, Service>> = {
  "Microsoft.Storage/storageAccounts": answerStorage,
  "Microsoft.DocumentDB/databaseAccounts": answerCosmos,
  "Microsoft.CognitiveServices/accounts": answerAiServices,
  "Microsoft.Search/searchServices": answerSearch,
};

/** Whether the local Azure has the service behind this type. */
export function hasDataPlane(type: string): boolean {
  return type in services || type.endsWith("/authorizationRules");
}

/**
 * The service that takes the keys of a resource, as far as it lets somebody in or not: signatures and keys are checked
 * for real, and the answer of the one read that shows it is Azure's.
 */
export function createDataPlane(state: AzureState, resource: KeyedResourceState): HttpService {
  const service = services[resource.type] ?? answerSharedAccess;
  return withFaults(state, "data-plane", async (request) => service(request, resource, state));
}

/**
 * Shared Key: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, or a shared access
 * signature in the query.
 */
function answerStorage(request: Request, resource: KeyedResourceState, { clock }: AzureState): Response {
  const refuse = (code: string) =>
    new Response(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, {
      status: 403,
      headers: { "x-ms-error-code": code, "content-type": "application/xml" },
    });
  if (resource.keysOff) return refuse("KeyBasedAuthenticationNotPermitted");
  const url = new URL(request.url);
  if (url.searchParams.has("sig")) {
    const name = resource.id.split("/").at(-1) ?? "";
    return isGranted(url, name, acceptedKeys(resource, clock), clock.now())
      ? new Response("<StorageServiceProperties/>")
      : refuse("AuthenticationFailed");
  }
  const [scheme, given = ""] = (request.headers.get("authorization") ?? "").split(" ");
  const account = resource.id.split("/").at(-1) ?? "";
  const [name, signature] = given.split(":");
  const age = Math.abs(clock.now() - Date.parse(request.headers.get("x-ms-date") ?? ""));
  const text = storageText(request, account);
  const isSigned = acceptedKeys(resource, clock).some(
    (key) => signature === hmac(Buffer.from(key, "base64"), text),
  );
  const isGood = scheme === "SharedKey" && name === account && age <= 15 * 60_000 && isSigned;
  return isGood ? new Response("<StorageServiceProperties/>") : refuse("AuthenticationFailed");
}

const standardHeaders = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "if-modified-since",
  "if-match",
  "if-none-match",
  "if-unmodified-since",
  "range",
];

function storageText(request: Request, account: string): string {
  const url = new URL(request.url);
  const standard = standardHeaders.map((header) => request.headers.get(header) ?? "");
  const own = [...request.headers].filter(([name]) => name.startsWith("x-ms-")).toSorted(byName);
  const query = [...url.searchParams].toSorted(byName);
  return [
    request.method,
    ...standard,
    ...own.map(([name, value]) => `${name}:${value}`),
    `/${account}${url.pathname}`,
    ...query.map(([name, value]) => `${name.toLowerCase()}:${value}`),
  ].join("\n");
}

function byName([one]: [string, string], [other]: [string, string]): number {
  return one < other ? -1 : 1;
}

/** Master keys: https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources */
function answerCosmos(request: Request, resource: KeyedResourceState, { clock }: AzureState): Response {
  const refuse = (message: string) => Response.json({ code: "Unauthorized", message }, { status: 401 });
  if (resource.keysOff) return refuse("Local Authorization is disabled. Use an AAD token to authorize.");
  const date = request.headers.get("x-ms-date") ?? "";
  const given = new URLSearchParams(decodeURIComponent(request.headers.get("authorization") ?? ""));
  const text = `${request.method.toLowerCase()}\n\n\n${date.toLowerCase()}\n\n`;
  const isSigned = acceptedKeys(resource, clock).some(
    // A plus sign that was not encoded twice comes out as a space.
    (key) => given.get("sig")?.replaceAll(" ", "+") === hmac(Buffer.from(key, "base64"), text),
  );
  const isGood = given.get("type") === "master" && isSigned && new URL(request.url).pathname === "/";
  return isGood
    ? Response.json({ id: "account" })
    : refuse("The input authorization token can't serve the request.");
}

function answerAiServices(request: Request, resource: KeyedResourceState, { clock }: AzureState): Response {
  const key = request.headers.get("api-key") ?? "";
  if (resource.keysOff) {
    return azureError(403, "AuthenticationTypeDisabled", "Key based authentication is disabled.");
  }
  if (!acceptedKeys(resource, clock).includes(key)) {
    return azureError(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.");
  }
  const { pathname } = new URL(request.url);
  return pathname === "/openai/models"
    ? Response.json({ object: "list", data: [] })
    : azureError(404, "404", "Resource not found");
}

function answerSearch(request: Request, resource: KeyedResourceState, { clock }: AzureState): Response {
  const key = request.headers.get("api-key") ?? "";
  const isGood = !resource.keysOff && acceptedKeys(resource, clock).includes(key);
  return isGood ? Response.json({ counters: {}, limits: {} }) : new Response(null, { status: 403 });
}

function hmac(key: Buffer, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64");
}
