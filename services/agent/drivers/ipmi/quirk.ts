import type { GuidOrder } from './records/guid.ts';

/**
 * What a make of controller does otherwise than IPMI 2.0 says. Quirks are data: who (vendor, model,
 * firmware) → which rules, with the source. Code asks for a rule and never for a vendor. What is
 * different before anybody has signed in cannot be one: then nobody knows who answers.
 */
export type QuirkRules = {
  /** The order of the bytes in its GUID. */
  readonly guidOrder?: GuidOrder;
  /** Its sensors say that they are not scanned, and are. */
  readonly scanning?: 'ignored';
  /** Sensors with states have an amount, too. */
  readonly discreteAmounts?: 'read';
  /** Sensors belong to it whoever their record names. */
  readonly sensorOwner?: 'itself';
  /** While its console is read, alerts on the serial line wait instead of failing. */
  readonly serialAlerts?: 'deferred';
  /** Log records of unknown types are events of the system. */
  readonly logRecords?: 'events';
};

export type BmcIdentity = {
  /** From the inventory, else from the manufacturer's number. */
  readonly vendor: string;
  readonly model: string;
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
