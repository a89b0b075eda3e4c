export interface ApplicationState {
  readonly objectId: string;
  /** Its client id. */
  readonly appId: string;
  readonly displayName: string;
  /** Principal ids. */
  readonly owners: readonly string[];
  /** Its service principal, which its tokens name. */
  readonly principalId: string;
  readonly passwords: PasswordState[];
  /** How many it may have; `undefined` = as many as it likes. */
  passwordLimit: number | undefined;
}

export interface PasswordState {
  readonly keyId: string;
  readonly displayName: string | null;
  readonly hint: string | null;
  readonly value: string;
  /** Milliseconds since the epoch, as are the following. */
  readonly start: number;
  readonly end: number;
  /** Sign-ins with it are refused before this. */
  readonly worksFrom: number;
}

export interface AppRoleAssignment {
  readonly principalId: string;
  readonly role: "Application.ReadWrite.OwnedBy" | "Application.ReadWrite.All" | "Application.Read.All";
}
