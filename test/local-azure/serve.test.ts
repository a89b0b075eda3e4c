import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ConnectionCut } from "./http.ts";
import { serveHttp, type ServeOptions } from "./serve.ts";
import type { HttpService } from "./state.ts";

async function serve(service: HttpService, options?: ServeOptions) {
  const server = await serveHttp(service, options);
  onTestFinished(() => server.close().catch(() => undefined));
  return server;
}

const echo: HttpService = async (incoming) =>
  Response.json({ method: incoming.method, url: incoming.url, body: await incoming.text() }, { status: 201 });

test("method, url and body arrive, and the answer comes back", async () => {
  const { url } = await serve(echo);
  const answer = await fetch(`${url}/a?b=%20c`, { method: "PUT", body: "text" });
  expect(answer.status).toBe(201);
  expect(await answer.json()).toEqual({ method: "PUT", url: `${url}/a?b=%20c`, body: "text" });
});

test("a body in chunks and a DELETE without a length are real requests too", async () => {
  const { url, port } = await serve(async (incoming) => await echo(new Request(incoming)));
  expect((await fetch(url, { method: "DELETE" })).status).toBe(201);
  const call = request({ port, host: "127.0.0.1", method: "POST" });
  call.write("one ");
  call.end("two");
  const [answer] = await once(call, "response");
  expect(Buffer.concat(await answer.toArray()).toString()).toContain('"body":"one two"');
});

test("a body that is too large is refused, and the service does not see it", async () => {
  let seen = 0;
  const service: HttpService = async () => new Response(String(++seen));
  const { url } = await serve(service, { maxBody: 10 });
  expect((await fetch(url, { method: "PUT", body: "x".repeat(11) })).status).toBe(413);
  expect(seen).toBe(0);
  expect((await fetch(url, { method: "PUT", body: "x".repeat(10) })).status).toBe(200);
});

test("a cut connection ends without an answer", async () => {
  const { port } = await serve(() => Promise.reject(new ConnectionCut("now")));
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(await socket.toArray()).toEqual([]);
});

test("a bug in a service is a 500 that shows where", async () => {
  const { url } = await serve(() => Promise.reject(new TypeError("oops")));
  const answer = await fetch(url);
  expect(answer.status).toBe(500);
  expect(await answer.text()).toContain("oops");
});

test("close ends idle and busy connections alike", async () => {
  const busy = Promise.withResolvers<void>();
  const server = await serveHttp(() => {
    busy.resolve();
    return new Promise(() => {});
  });
  const ended = [1, 2].map(async (index) => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {}).resume();
    if (index === 2) socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
  });
  await busy.promise;
  await server.close();
  await Promise.all(ended);
});
