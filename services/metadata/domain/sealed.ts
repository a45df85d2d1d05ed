/** Bytes under the master key, bound to a label; authority/seal.ts makes and opens them. */
export type Sealed = { readonly version: 1; readonly nonce: string; readonly data: string };
