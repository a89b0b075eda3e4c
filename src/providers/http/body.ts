import type { PipelineResponse } from "@azure/core-rest-pipeline";
import { malformed } from "./faults.ts";

/** Bytes, after decompression. An answer is a handful of short words. */
const largestBody = 16 * 1024;

/** The body as JSON, read only as far as it may go. @throws Fault `unexpected-response` if it is too large or no JSON */
export async function readJson(response: PipelineResponse, url: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.readableStreamBody ?? []) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > largestBody) throw malformed(url);
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw malformed(url);
  }
}

/** Lets go of a body that nobody wants, and of its connection. */
export function discard({ readableStreamBody: body }: PipelineResponse): void {
  if (body && "destroy" in body && typeof body.destroy === "function") body.destroy();
}
