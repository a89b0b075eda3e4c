export { createKeyVault } from "./key-vault/service.ts";
