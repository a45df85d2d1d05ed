/** What a change has to ask of the scheduler's leader before it can be written. */
import type { Offer } from '../domain/amounts.ts';
import type { ProviderRecord } from '../domain/records.ts';
import type { Grant } from '../domain/reservation.ts';
import type { AllocationMove, ReshapeIntent } from '../domain/reshape-intent.ts';

export type Question = {
  readonly record: ProviderRecord;
  /** What it may offer from now on. Absent: the provider is to go. */
  readonly offers: readonly Offer[] | undefined;
};

/** A change that is recorded in one step and must be written once it is. */
export type Reshape = {
  /** In the JSON form of the contract, by uid of the provider. */
  readonly inventories: ReadonlyMap<string, readonly unknown[]>;
  readonly moves: readonly AllocationMove[];
};

/** Leaves the transaction to ask. */
export class AskFirst extends Error {
  readonly questions: readonly Question[];
  /** What is to happen to them, for people. */
  readonly verb: string;
  readonly reshape: Reshape | undefined;

  constructor(questions: readonly Question[], verb: string, reshape?: Reshape) {
    super('The scheduler has to be asked first');
    this.questions = questions;
    this.verb = verb;
    this.reshape = reshape;
  }
}

/** What is asked of the leader under reservations that are held. */
export type Asked = {
  readonly question: AskFirst;
  readonly grant: Grant;
  /** Set for a reshape. */
  readonly intent?: ReshapeIntent;
};
