/**
 * What a make of controller does otherwise than DSP0266 says or leaves open. Quirks are data: who
 * (vendor, model, firmware) → which rules, with the source. Code asks for a rule and never for a
 * vendor.
 */
export type QuirkRules = {
  /** Accounts are places that are always there: filled and emptied by PATCH. */
  readonly accountSlots?: 'fixed';
  /** What an account may do is said by flags of its make, and there are no roles. */
  readonly accountFlags?: AccountFlags;
  /** Links of systems that are a part of the machine and not the machine. */
  readonly partialSystems?: RegExp;
  /**
   * `always`: the boot mode must be said with each override, else it falls back to Legacy.
   * `never`: it is an error to say it, even where it stays as it is.
   */
  readonly bootMode?: 'always' | 'never';
  /** An override is for good whatever is asked, and cannot be ended: the disk takes its place. */
  readonly bootOverride?: 'lasts';
  /** What it calls a virtual CD-ROM as boot target, where it is not `Cd`. */
  readonly cdromTarget?: string;
  /** Ids of the virtual drives that take a URL, where others do not and do not say so. */
  readonly mediaDrives?: RegExp;
  /** Where the machine's serial number is, as its operating system shows it. */
  readonly serialNumber?: 'SKU';
  /** Where disks are beside Storage. */
  readonly disks?: 'smart-storage';
  /** BIOS settings that were written wait for ever unless a job is made that applies them. */
  readonly biosJob?: 'needed';
  /** Ids of what runs, where the inventory lists what could be gone back to as well. */
  readonly installedFirmware?: RegExp;
  /** `decimal`: its gibibytes were made of gigabytes, so 64 of them are told as 59.6. */
  readonly memoryUnit?: 'decimal';
};

/** `Oem.<make>.Privileges`, beside a LoginName that only people read. */
export type AccountFlags = {
  readonly make: string;
  /** All of them make an administrator. */
  readonly administrator: readonly string[];
  readonly operator: string;
  readonly readOnly: string;
};

export type BmcIdentity = {
  /** From the service root, the system or the manager, whichever says so first. */
  readonly vendor: string;
  readonly model: string;
  /** Of the controller itself, such as "iDRAC 9" or "XCC". */
  readonly product: string;
  readonly firmware: string;
  /** Links of all systems that the service shows. */
  readonly systems: readonly string[];
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
