import { createHttpHeaders, type PipelineResponse } from "@azure/core-rest-pipeline";
import { z } from "zod";
import { Fault, type FaultCode } from "../../errors.ts";
import { attribute } from "../../telemetry/names.ts";
import { inSpan } from "../../telemetry/span.ts";
import type { SecretValue } from "../../secret-value.ts";
import {
  abortBy,
  answerOf,
  configured,
  createEntraPipeline,
  createSend,
  type GraphOptions,
  jsonOf,
} from "./call.ts";
import { translateError } from "../translate-error.ts";

/** Wrong, unknown or expired. https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
const rejectedSecrets = new Set([7000215, 7000222, 70002]);

/** What other numbers mean for the rotation; the number itself is part of the message. */
const findings: Readonly<Record<number, readonly [code: FaultCode, text: string]>> = {
  700016: ["target-missing", "the tenant knows no application with this client id; correct the policy"],
  7000229: ["target-missing", "the application has no service principal in this tenant"],
  7000112: ["target-missing", "the application is disabled"],
  90002: ["target-missing", "there is no such tenant; correct the policy"],
  900023: ["target-missing", "there is no such tenant; correct the policy"],
  50196: ["throttled", "too many sign-ins in a short time"],
  90055: ["throttled", "too many requests of this tenant"],
  90006: ["unavailable", "Entra is not available"],
  90033: ["unavailable", "Entra is not available"],
};

const Token = z.object({ access_token: z.string().min(1) });
const Refused = z
  .object({
    error_codes: z.array(z.int()).catch([]),
    error_description: z.string().catch(""),
  })
  .catch({ error_codes: [], error_description: "" });

/**
 * Whether Entra gives this client a token for this secret. The token is thrown away.
 * @throws Fault `target-missing` if the tenant knows no such client
 */
export type SignIn = (
  tenantId: string,
  clientId: string,
  secret: SecretValue,
  signal?: AbortSignal,
) => Promise<boolean>;

/** The client credentials grant, as the application itself would ask: the proof that a client secret works. */
export function createSignIn(options: GraphOptions): SignIn {
  const send = createSend(createEntraPipeline(options, true), options);
  return async (tenantId, clientId, secret, signal) => {
    const authority = configured(options.authority, "KEYTURN_AUTHORITY");
    const doing = `sign in as the client ${clientId} of the tenant ${tenantId}`;
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: secret.reveal(),
      // Every application may ask for Graph, also one that has no rights there.
      scope: options.scope,
    });
    const attributes = { "server.address": new URL(authority).hostname, [attribute.credential]: clientId };
    return inSpan("Entra.signIn", attributes, async () => {
      const request = {
        url: `${authority}/${tenantId}/oauth2/v2.0/token`,
        method: "POST" as const,
        headers: createHttpHeaders({ "content-type": "application/x-www-form-urlencoded" }),
        body: form.toString(),
        ...abortBy(signal),
      };
      const response = await send(request, doing);
      if (response.status >= 300) return rejectedOrFault(response, doing);
      answerOf(response, Token, doing);
      return true;
    });
  };
}

function rejectedOrFault(response: PipelineResponse, doing: string): false {
  const numbers = numbersOf(response);
  if (numbers.some((number) => rejectedSecrets.has(number))) return false;
  const known = numbers.find((number) => number in findings);
  const finding = known === undefined ? undefined : findings[known];
  if (finding) throw new Fault(finding[0], `could not ${doing}: ${finding[1]} (AADSTS${known})`);
  const [first] = numbers;
  const code = first === undefined ? undefined : `AADSTS${first}`;
  throw translateError({ name: "RestError", code, statusCode: response.status, response }, doing);
}

/** Only numbers are taken: the description tells more than a log should hold. */
function numbersOf(response: PipelineResponse): readonly number[] {
  const { error_codes: numbers, error_description: text } = Refused.parse(jsonOf(response));
  if (numbers.length > 0) return numbers;
  return [...text.matchAll(/AADSTS(\d{4,8})/g)].map(([, digits]) => Number(digits));
}
