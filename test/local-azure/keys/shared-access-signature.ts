import { createHmac } from "node:crypto";

/**
 * Whether a storage account lets somebody in with the signature in the query, for what is asked: who signed it, until
 * when, for which service and resource, and for what.
 * https://learn.microsoft.com/rest/api/storageservices/create-account-sas
 * https://learn.microsoft.com/rest/api/storageservices/create-service-sas
 */
export function isGranted(url: URL, account: string, keys: readonly string[], now: number): boolean {
  const query = url.searchParams;
  const get = (name: string) => query.get(name) ?? "";
  const signs = (text: string) =>
    keys.some(
      (key) =>
        createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64") === get("sig"),
    );
  if (get("sv") < "2020-12-06" || !(now < Date.parse(get("se")))) return false;
  if (get("spr") === "https" && url.protocol !== "https:") return false;
  const text = get("ss") ? accountText(account, get) : containerText(account, url, get);
  return signs(text) && allows(url, get);
}

type Get = (name: string) => string;

function accountText(account: string, get: Get): string {
  const signed = [get("sp"), get("ss"), get("srt"), get("st"), get("se"), get("sip"), get("spr"), get("sv")];
  return `${[account, ...signed, get("ses")].join("\n")}\n`;
}

function containerText(account: string, { pathname }: URL, get: Get): string {
  const container = pathname.split("/")[1] ?? "";
  const signed = [get("sp"), get("st"), get("se"), `/blob/${account}/${container}`, get("si"), get("sip")];
  const overridden = ["rscc", "rscd", "rsce", "rscl", "rsct"].map(get);
  return [...signed, get("spr"), get("sv"), get("sr"), "", get("ses"), ...overridden].join("\n");
}

/** The reads that are known here: the properties of the service, and the list of a container. */
function allows(url: URL, get: Get): boolean {
  const isService = get("restype") === "service";
  if (get("ss")) {
    const service = url.hostname.split(".")[1]?.[0] ?? "";
    const wanted = isService ? ["s", "r"] : ["c", "l"];
    return (
      get("ss").includes(service) &&
      get("srt").includes(wanted[0] ?? "") &&
      get("sp").includes(wanted[1] ?? "")
    );
  }
  return !isService && get("sr") === "c" && get("sp").includes("l");
}
