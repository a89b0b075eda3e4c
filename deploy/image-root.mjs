// Lays out the root file system of the image: the project's own Node, the libraries it is linked to, certificate
// authorities, a user, an empty /tmp, and the bundle. What is not here cannot be run by anybody who gets in.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { dirname, join } from "node:path";

const root = process.argv[2];
if (!root) throw new Error("usage: node deploy/image-root.mjs FOLDER");

function put(from, to = from) {
  mkdirSync(join(root, dirname(to)), { recursive: true });
  cpSync(realpathSync(from), join(root, to));
}

// `ldd` prints the path of each library and of the loader, at the places where the loader will look for them.
const linked = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
for (const [, path] of linked.matchAll(/(\/\S+) \(0x/g)) put(path);
put(process.execPath, "/usr/bin/node");
chmodSync(join(root, "/usr/bin/node"), 0o755);
put("dist/keyturn.mjs", "/app/keyturn.mjs");

const system = "/etc/ssl/certs/ca-certificates.crt";
if (existsSync(system)) put(system);
else {
  mkdirSync(join(root, dirname(system)), { recursive: true });
  writeFileSync(join(root, system), `${rootCertificates.join("\n")}\n`);
}

mkdirSync(join(root, "/tmp"), { recursive: true });
chmodSync(join(root, "/tmp"), 0o1777);
writeFileSync(join(root, "/etc/passwd"), "keyturn:x:65532:65532:keyturn:/tmp:/sbin/nologin\n");
writeFileSync(join(root, "/etc/group"), "keyturn:x:65532:\n");
writeFileSync(join(root, "/etc/nsswitch.conf"), "hosts: files dns\n");
