export { createKeyVault, type KeyVaultOptions, type KeyVaultService } from "./key-vault/service.ts";
