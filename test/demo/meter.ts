import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";

const Report = z.object({ app: z.string(), version: z.string(), served: z.number(), failed: z.number() });

/** Counts the queries that the sample applications served and failed, over all their restarts. */
export interface Meter extends AsyncDisposable {
  readonly url: string;
  totals(): { served: number; failed: number };
  failedBy(app: string): number;
  /** Queries served on one version of the secret, by application. */
  servedOn(version: string): ReadonlyMap<string, number>;
}

export async function startMeter(): Promise<Meter> {
  const reports: z.infer<typeof Report>[] = [];
  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        reports.push(Report.parse(JSON.parse(body)));
        response.writeHead(204).end();
      },
      () => response.writeHead(400).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the meter has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    totals: () => ({ served: sum(reports, "served"), failed: sum(reports, "failed") }),
    failedBy: (app) =>
      sum(
        reports.filter((report) => report.app === app),
        "failed",
      ),
    servedOn(version) {
      const byApp = Map.groupBy(
        reports.filter((report) => report.version === version),
        ({ app }) => app,
      );
      return new Map([...byApp].map(([app, mine]) => [app, sum(mine, "served")]));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sum(reports: readonly z.infer<typeof Report>[], what: "served" | "failed"): number {
  return reports.reduce((total, report) => total + report[what], 0);
}
