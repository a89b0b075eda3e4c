import type { Providers } from "../../../src/rotators/rotator.ts";
import { createMariaDbInMemory, createPostgresInMemory, type LogIns } from "../databases.ts";
import type { DerivedSecret, Link, Provider, Scenario } from "./scenario.ts";

interface Kind {
  readonly scheme: string;
  readonly host: string;
  readonly connect: (link: Link, logIns: LogIns) => Partial<Providers>;
}

const postgres: Kind = {
  scheme: "postgresql",
  host: "orders.postgres.database.azure.com",
  connect: (link, logIns) => ({ postgres: link.port("postgres", createPostgresInMemory(logIns)) }),
};

const mariadb: Kind = {
  scheme: "mysql",
  host: "orders.mysql.database.azure.com",
  connect: (link, logIns) => ({ mariadb: link.port("mariadb", createMariaDbInMemory(logIns)) }),
};

const two = ["orders_a", "orders_b"];
const template = (scheme: string, port: number) =>
  `${scheme}://{username}:{password:url}@{host}:${port}/{database}`;

export function postgresRole(overlap: "dual" | "single"): Scenario {
  const roles = overlap === "dual" ? two : two.slice(0, 1);
  const target = { host: postgres.host, database: "orders", admin: "keyturn", roles };
  return {
    name: `postgres-role ${overlap}`,
    overlap,
    origin: "chosen",
    secret: { rotator: "postgres-role", target, value: template(postgres.scheme, 5432) },
    install: () => serverOf(postgres, roles, 5432),
  };
}

export const mariadbUser: Scenario = {
  name: "mariadb-user",
  overlap: "dual",
  origin: "chosen",
  secret: {
    rotator: "mariadb-user",
    target: { host: mariadb.host, database: "orders", admin: "keyturn", users: two },
    value: template(mariadb.scheme, 3306),
  },
  install: () => serverOf(mariadb, two, 3306),
};

const suffix = "?application_name=reports";

const url: DerivedSecret = {
  name: "orders-url",
  secret: { value: `${template(postgres.scheme, 5432)}${suffix}` },
  readers: ["orders-reports"],
  textFrom: (parent) => `${parent}${suffix}`,
};

/** A secret whose text is that of a role in other words, with a reader of its own. */
export const derivedUrl: Scenario = {
  ...postgresRole("dual"),
  name: "postgres-role dual, derived",
  derived: [url],
  install() {
    const server = serverOf(postgres, two, 5432);
    const acceptsDerived = (text: string) =>
      text.endsWith(suffix) && server.live()?.has(text.slice(0, -suffix.length)) === true;
    return { ...server, acceptsDerived };
  },
};

/** A server on which the first of these log-ins is in use. */
function serverOf({ scheme, host, connect }: Kind, names: readonly string[], port: number): Provider {
  const [inUse = ""] = names;
  const logIns: LogIns = new Map(names.map((name) => [name, { enabled: false, password: undefined }]));
  logIns.set(inUse, { enabled: true, password: "first" });
  const textOf = (name: string, password: string) =>
    `${scheme}://${name}:${encodeURIComponent(password)}@${host}:${port}/orders`;
  const texts = () =>
    [...logIns].flatMap(([name, { enabled, password }]) =>
      enabled && password !== undefined ? [textOf(name, password)] : [],
    );
  return {
    first: textOf(inUse, "first"),
    live: () => new Set(texts()),
    connect: (link) => connect(link, logIns),
    changeByHand(text) {
      const name = names.find((one) => text.includes(`//${one}:`)) ?? inUse;
      const password = `by-hand-${logIns.get(name)?.password?.length ?? 0}`;
      logIns.set(name, { enabled: true, password });
      return textOf(name, password);
    },
  };
}
