/** What the leader is asked to do, and what its log says it did. */
import type { CapacityRecord, Offers } from './capacity.ts';
import type { ClaimRecord, ClaimSpec, Property, RequestNote } from './claim.ts';

/** Who asks. */
export type Origin = {
  /** Lower case; empty = the leader itself, on the clock. */
  readonly requestId: string;
  /** Hexadecimal SHA-256 of the request without its id. */
  readonly argumentHash: string;
  /**
   * Of whom a retry is accepted; all services of ours are one, because a relayed call changes its
   * service.
   */
  readonly caller: string;
  /** Who is on the wire. */
  readonly principal: string;
  /** The person a service acts for; undefined = for itself. */
  readonly onBehalfOf: string | undefined;
};

/** The leader itself, on the clock. */
export const ON_TIME: Origin = {
  requestId: '',
  argumentHash: '',
  caller: 'services',
  principal: 'services/scheduler',
  onBehalfOf: undefined,
};

/** A claim by the last segment of its name or by its uid, within a project. */
export type ClaimRef = { readonly project: string; readonly claim: string };

export type Draft = {
  readonly uid: string;
  readonly project: string;
  readonly claimId: string;
  /** Projects above its own, nearest first, as keys. */
  readonly ancestors: readonly string[];
  /** Made by one who runs the partition: the default length of claims is not for him. */
  readonly isUnbounded?: boolean;
  readonly properties: Readonly<Record<string, Property>>;
  readonly tags: readonly string[];
  readonly spec: Omit<ClaimSpec, 'acquireMs'> & { readonly acquireMs: number | undefined };
};

export type Command =
  | {
      readonly verb: 'create';
      readonly origin: Origin;
      readonly draft: Draft;
      /** Only show what would be. */
      readonly validateOnly: boolean;
    }
  | {
      readonly verb: 'begin-release';
      readonly origin: Origin;
      readonly ref: ClaimRef;
      /** Throws when the claim is not as the caller believes. */
      readonly precondition: (claim: ClaimRecord) => void;
    }
  | {
      readonly verb: 'finish-release';
      readonly origin: Origin;
      readonly ref: ClaimRef;
      readonly providerUid: string;
    }
  | {
      readonly verb: 'set-capacity';
      readonly origin: Origin;
      readonly providerUid: string;
      readonly generation: number;
      readonly offers: Offers;
      readonly closed: boolean;
    }
  | { readonly verb: 'forget'; readonly origin: Origin; readonly uid: string };

/**
 * One change as the log tells it: what audit and history need, and nothing that must stay small.
 */
export type LogEntry = {
  /** "claim.create", … */
  readonly action: string;
  readonly objectKind: 'claim' | 'capacity';
  readonly objectUid: string;
  readonly objectName: string;
  /** Empty = belongs to no project. */
  readonly project: string;
  readonly principal: string;
  readonly onBehalfOf: string | undefined;
  readonly requestId: string;
  readonly after: Readonly<Record<string, unknown>>;
};

/** All changes of one commit. */
export type LogBatch = {
  readonly number: number;
  readonly atMs: number;
  readonly entries: readonly LogEntry[];
};

export type Decision =
  | { readonly kind: 'claim'; readonly claim: ClaimRecord; readonly entry: LogEntry | undefined }
  | { readonly kind: 'shown'; readonly claim: ClaimRecord }
  | { readonly kind: 'forgotten'; readonly claim: ClaimRecord; readonly entry: LogEntry }
  | {
      readonly kind: 'capacity';
      readonly capacity: CapacityRecord;
      readonly entry: LogEntry | undefined;
      /** Remembered by the leader alone; the next one knows the change by its content. */
      readonly note?: RequestNote;
    };
