import type { Resource } from './resource.ts';

/**
 * What a make of controller does otherwise than DSP0266 says or leaves open. Quirks are data: who
 * (vendor, model, firmware) → which rules, with the source. Code asks for a rule and never for a
 * vendor.
 */
export type QuirkRules = {
  /** `strong`: W/ is taken off before it is sent back. `none`: If-Match is never sent. */
  readonly etag?: 'strong' | 'none';
  /** Accounts are places that are always there: filled and emptied by PATCH. */
  readonly accountSlots?: 'fixed';
  /** Reset types that it takes where it does not say which. */
  readonly resetTypes?: readonly string[];
  /** Links of systems that are a part of the machine and not the machine. */
  readonly partialSystems?: RegExp;
  /** The boot mode must be said with each override, else it falls back to Legacy. */
  readonly bootMode?: 'always';
  /** Properties that InsertMedia must be given with their values. */
  readonly insertMedia?: Resource;
  /** Where the machine's serial number is, as its operating system shows it. */
  readonly serialNumber?: 'SKU';
  /** What it calls a virtual CD-ROM as boot target, where it is not `Cd`. */
  readonly cdromTarget?: string;
};

export type BmcIdentity = {
  /** From the service root, the system or the manager, whichever says so first. */
  readonly vendor: string;
  readonly model: string;
  /** Of the controller itself, such as "iDRAC 9" or "XCC". */
  readonly product: string;
  readonly firmware: string;
};

export type Quirk = {
  /** In kebab case; shown by `runm provider probe`. */
  readonly name: string;
  /** Where it is described. */
  readonly source: string;
  readonly applies: (identity: BmcIdentity) => boolean;
  readonly rules: QuirkRules;
};

/** Rules of all that apply; of two that say otherwise the later one. */
export const rulesOf = (quirks: readonly Quirk[]): QuirkRules =>
  Object.assign({}, ...quirks.map((quirk) => quirk.rules));
