/** What a process and the thread of its coordinator say to each other. */
import { DomainError, type ErrorExtras, type ErrorKind } from '../../../runtime/errors.ts';
import type { Compare, RangeOptions, Revision, TransactionResult } from '../port.ts';
import type { PackedEvents, PackedWrites } from './packed.ts';

export type HeldId = { readonly id: string; readonly ttlMs: number };

export type Calls = {
  readonly get: { readonly asked: { readonly key: string }; readonly answer: PackedEvents };
  readonly range: {
    readonly asked: RangeOptions;
    readonly answer: {
      readonly keys: PackedEvents;
      readonly more: boolean;
      readonly revision: Revision;
    };
  };
  readonly transact: {
    readonly asked: { readonly compare: readonly Compare[]; readonly writes: PackedWrites };
    readonly answer: TransactionResult;
  };
  readonly grantLease: { readonly asked: { readonly ttlMs: number }; readonly answer: HeldId };
  readonly keepAlive: { readonly asked: HeldId; readonly answer: undefined };
  readonly revoke: { readonly asked: HeldId; readonly answer: undefined };
  readonly compact: { readonly asked: { readonly revision: Revision }; readonly answer: undefined };
  readonly ping: { readonly asked: object; readonly answer: undefined };
  readonly close: { readonly asked: object; readonly answer: undefined };
};

export type Verb = keyof Calls;

export type Call = {
  readonly [V in Verb]: { readonly verb: V; readonly asked: Calls[V]['asked'] };
}[Verb];

export type ToThread =
  | { readonly kind: 'call'; readonly id: number; readonly call: Call }
  | {
      readonly kind: 'watch';
      readonly id: number;
      readonly prefix: string;
      readonly from: Revision;
    }
  /** So many batches of the watch were taken since the last time. */
  | { readonly kind: 'taken'; readonly id: number; readonly batches: number }
  /** Nobody waits for the call or the watch any more. */
  | { readonly kind: 'over'; readonly id: number };

export type FromThread =
  | { readonly kind: 'open' }
  | { readonly kind: 'cannot-open'; readonly error: SentError }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Calls[Verb]['answer'] }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: SentError }
  | {
      readonly kind: 'batch';
      readonly id: number;
      readonly revision: Revision;
      readonly events: PackedEvents;
    }
  /** The watch has ended. */
  | { readonly kind: 'end'; readonly id: number; readonly error: SentError | undefined }
  | { readonly kind: 'log'; readonly data: object; readonly message: string };

/** Batches of a watch that are on their way or wait to be taken. */
export const BATCHES_MAX = 32;

/** Errors lose their class on the way. */
export type SentError =
  | {
      readonly of: 'domain';
      readonly kind: ErrorKind;
      readonly reason: string;
      readonly message: string;
      readonly extras: ErrorExtras;
    }
  | { readonly of: 'other'; readonly error: Error };

export const toSent = (error: unknown): SentError => {
  if (error instanceof DomainError) {
    const { kind, reason, message, extras } = error;
    const { cause } = extras;
    return {
      ...{ of: 'domain', kind, reason, message },
      extras: cause === undefined ? extras : { ...extras, cause: plain(cause) },
    };
  }
  return { of: 'other', error: plain(error) };
};

export const fromSent = (sent: SentError): Error =>
  sent.of === 'other'
    ? sent.error
    : new DomainError(sent.kind, sent.reason, sent.message, sent.extras);

/** What can be sent of whatever was thrown. */
export const plain = (error: unknown): Error => {
  if (!(error instanceof Error)) return new Error(String(error));
  const { message, stack } = error;
  return Object.assign(new Error(message), stack === undefined ? {} : { stack });
};
