import { Hono } from "hono";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { authenticate, withFaults } from "./http.ts";
import { addPassword } from "./resources.ts";
import type { ApplicationState, AppRoleAssignment, AzureState, HttpService, PasswordState } from "./state.ts";
import type { Claims, TokenAuthority } from "./tokens.ts";

const audience = "https://graph.microsoft.com";

const NewPassword = z.object({
  passwordCredential: z
    .object({
      displayName: z.string().nullish(),
      startDateTime: z.iso.datetime({ offset: true }).optional(),
      endDateTime: z.iso.datetime({ offset: true }).optional(),
    })
    .default({}),
});
const OldPassword = z.object({ keyId: z.guid() });

/** Documented for certificates; longer names are cut without a word. */
const nameLimit = 90;

type Env = { Variables: { application: ApplicationState } };

/**
 * The part of Microsoft Graph v1.0 that has to do with the client secrets of applications. Left out: everything else,
 * queries but `$select`, and replicas that lag behind. https://learn.microsoft.com/graph/api/resources/application
 */
export function createGraph(state: AzureState, tokens: TokenAuthority): HttpService {
  const app = new Hono<Env>({ strict: false });
  app.use("/v1.0/applications/:id/*", async (context, next) => {
    const caller = await authenticate(tokens, context.req.raw, [audience]);
    if ("refused" in caller) {
      return graphError(state, 401, "InvalidAuthenticationToken", "Access token validation failure.");
    }
    const { method } = context.req;
    const application = state.applications.get(context.req.param("id").toLowerCase());
    if (!mayDo(state, caller.claims, method, application)) {
      return graphError(
        state,
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
      );
    }
    if (!application) {
      const message = `Resource '${context.req.param("id")}' does not exist or one of its queried reference-property objects are not present.`;
      return graphError(state, 404, "Request_ResourceNotFound", message);
    }
    context.set("application", application);
    return await next();
  });
  app.get("/v1.0/applications/:id", (context) => {
    const names = context.req.query("$select")?.split(",");
    const entries = Object.entries(toAnswer(context.get("application")));
    return context.json(Object.fromEntries(entries.filter(([name]) => names?.includes(name) ?? true)));
  });
  app.post("/v1.0/applications/:id/addPassword", async (context) =>
    addTo(state, context.get("application"), await context.req.json().catch(() => undefined)),
  );
  app.post("/v1.0/applications/:id/removePassword", async (context) =>
    removeFrom(state, context.get("application"), await context.req.json().catch(() => undefined)),
  );
  app.notFound((context) => {
    const message = `Resource not found for the segment '${context.req.path.split("/").at(-1)}'.`;
    return graphError(state, 404, "BadRequest", message);
  });
  return withFaults(state, "graph", async (request) => await app.fetch(request));
}

/** `OwnedBy` reads every application and changes those that the caller owns. https://learn.microsoft.com/graph/permissions-reference#applicationreadwriteownedby */
function mayDo(
  state: AzureState,
  { oid }: Claims,
  method: string,
  application: ApplicationState | undefined,
): boolean {
  const has = (role: AppRoleAssignment["role"]) =>
    state.appRoles.some((given) => given.principalId === oid && given.role === role);
  if (has("Application.ReadWrite.All")) return true;
  if (method === "GET") return has("Application.Read.All") || has("Application.ReadWrite.OwnedBy");
  return has("Application.ReadWrite.OwnedBy") && (application?.owners.includes(oid) ?? true);
}

function addTo(state: AzureState, application: ApplicationState, body: unknown): Response {
  const parsed = NewPassword.safeParse(body ?? {});
  if (!parsed.success)
    return badRequest(state, "Invalid value specified for property of resource 'PasswordCredential'.");
  const { displayName, startDateTime, endDateTime } = parsed.data.passwordCredential;
  const { passwordLimit = Number.POSITIVE_INFINITY } = application;
  if (application.passwords.length >= passwordLimit) {
    const message =
      "The size of the object has exceeded its limit. Please reduce the number of values and retry your request.";
    return graphError(state, 400, "Directory_ResourceSizeExceeded", message);
  }
  const now = state.clock.now();
  const added = addPassword(state, application, {
    displayName: displayName?.slice(0, nameLimit) ?? null,
    ...(startDateTime ? { start: Date.parse(startDateTime) } : {}),
    ...(endDateTime ? { end: Date.parse(endDateTime) } : {}),
    worksFrom: now + state.passwordDelay,
  });
  const answer = { ...toListing(added), secretText: added.value };
  return Response.json({
    "@odata.context": `${audience}/v1.0/$metadata#microsoft.graph.passwordCredential`,
    ...answer,
  });
}

function removeFrom(state: AzureState, application: ApplicationState, body: unknown): Response {
  const parsed = OldPassword.safeParse(body);
  if (!parsed.success) return badRequest(state, "Invalid value specified for property 'keyId'.");
  const keyId = parsed.data.keyId.toLowerCase();
  const index = application.passwords.findIndex((password) => password.keyId === keyId);
  // As a live tenant answers: the general code, not a 404.
  if (index < 0) return badRequest(state, "No credentials found to be removed.");
  application.passwords.splice(index, 1);
  return new Response(null, { status: 204 });
}

function toAnswer({ objectId, appId, displayName, passwords }: ApplicationState): object {
  return { id: objectId, appId, displayName, passwordCredentials: passwords.map(toListing) };
}

function toListing({ keyId, displayName, hint, start, end }: PasswordState): object {
  return {
    customKeyIdentifier: null,
    displayName,
    startDateTime: new Date(start).toISOString(),
    endDateTime: new Date(end).toISOString(),
    hint,
    keyId,
    secretText: null,
  };
}

function badRequest(state: AzureState, message: string): Response {
  return graphError(state, 400, "Request_BadRequest", message);
}

function graphError(state: AzureState, status: number, code: string, message: string): Response {
  const id = randomUUID();
  const innerError = {
    date: new Date(state.clock.now()).toISOString(),
    "request-id": id,
    "client-request-id": id,
  };
  return Response.json({ error: { code, message, innerError } }, { status, headers: { "request-id": id } });
}
