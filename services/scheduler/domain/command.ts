/** What the leader is asked to do, and what its log says it did. */
import type { CapacityRecord, Offers } from './capacity.ts';
import type { ClaimRecord, ClaimSpec, Consumer, Property, RequestNote } from './claim.ts';
import type { QuotaRecord } from './quota.ts';

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
  /**
   * Made by one who runs the partition: his claims last until they are released, where nothing
   * limits their length.
   */
  readonly isUnbounded?: boolean;
  readonly properties: Readonly<Record<string, Property>>;
  readonly tags: readonly string[];
  readonly spec: Omit<ClaimSpec, 'acquireMs'> & { readonly acquireMs: number | undefined };
};

/** What a change of a claim that is there has in common with others. */
type Change = {
  readonly origin: Origin;
  readonly ref: ClaimRef;
  /** Throws when the claim is not as the caller believes. */
  readonly precondition: (claim: ClaimRecord) => void;
};

type QuotaChange = {
  readonly origin: Origin;
  /** As metadata spells it. */
  readonly project: string;
  /** Projects above it, nearest first, as keys. */
  readonly ancestors: readonly string[];
  /** Throws when the quota is not as the caller believes; undefined = nothing was ever set. */
  readonly precondition: (quota: QuotaRecord | undefined) => void;
};

/** Allocations of one resource type that go from one provider to another. */
export type Move = {
  readonly fromUid: string;
  readonly toUid: string;
  readonly resourceType: string;
  /** undefined = of all claims. */
  readonly claimUid: string | undefined;
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
      readonly verb: 'execute';
      readonly origin: Origin;
      readonly draft: Draft;
      readonly candidate: Candidate;
    }
  | (Change & { readonly verb: 'extend'; readonly releaseMs: number | undefined })
  | (Change & { readonly verb: 'shorten'; readonly releaseMs: number })
  | (Change & {
      readonly verb: 'transfer';
      readonly consumer: Consumer;
      /** Uid of the consumer that must have it; undefined = whoever does. */
      readonly fromUid: string | undefined;
    })
  | (Change & { readonly verb: 'begin-release' })
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
  | {
      readonly verb: 'reshape';
      readonly origin: Origin;
      readonly providers: readonly Reshaped[];
      readonly moves: readonly Move[];
    }
  | (QuotaChange & {
      readonly verb: 'set-quota';
      readonly quota: Pick<QuotaRecord, 'limits' | 'claimLengthDefaultMs' | 'claimLengthMaxMs'>;
    })
  | (QuotaChange & { readonly verb: 'set-user-quotas'; readonly users: QuotaRecord['users'] })
  /** Tells the owner that the claim ends soon. */
  | { readonly verb: 'warn'; readonly origin: Origin; readonly uid: string }
  /** Looks whether a claim can begin, and for another place when it cannot. */
  | { readonly verb: 'assess'; readonly origin: Origin; readonly uid: string }
  | { readonly verb: 'forget'; readonly origin: Origin; readonly uid: string };

/** A place that somebody proposes for a claim. */
export type Candidate = Pick<ClaimRecord, 'placements'> & {
  readonly providers: readonly string[];
};

/** What a provider offers after a reshape. */
export type Reshaped = Pick<CapacityRecord, 'providerUid' | 'generation' | 'offers'>;

/**
 * One change as the log tells it: what audit and history need, and nothing that must stay small.
 */
export type LogEntry = {
  /** "claim.create", … */
  readonly action: string;
  readonly objectKind: 'claim' | 'capacity' | 'quota';
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
  | {
      readonly kind: 'claim';
      readonly claim: ClaimRecord;
      readonly entry: LogEntry | undefined;
      /** Uids of providers that it has left; held until the commit. */
      readonly left?: readonly string[];
    }
  | { readonly kind: 'shown'; readonly claim: ClaimRecord }
  | { readonly kind: 'forgotten'; readonly claim: ClaimRecord; readonly entry: LogEntry }
  | {
      readonly kind: 'capacity';
      readonly capacity: CapacityRecord;
      readonly entry: LogEntry | undefined;
      /** Remembered by the leader alone; the next one knows the change by its content. */
      readonly note?: RequestNote;
    }
  | {
      readonly kind: 'reshape';
      readonly capacities: readonly CapacityRecord[];
      readonly claims: readonly Moved[];
      /** Claims that the request has moved, now or before. */
      readonly moved: number;
      /** Empty = it was so already. */
      readonly entries: readonly LogEntry[];
    }
  | {
      readonly kind: 'quota';
      readonly quota: QuotaRecord;
      readonly entry: LogEntry | undefined;
    };

/** A claim whose allocations moved, with the providers that it has left. */
export type Moved = { readonly claim: ClaimRecord; readonly left: readonly string[] };

/** What the log says of it; empty = nothing changes. */
export const entriesOf = (decision: Decision): readonly LogEntry[] => {
  switch (decision.kind) {
    case 'shown':
      return [];
    case 'reshape':
      return decision.entries;
    default:
      return decision.entry === undefined ? [] : [decision.entry];
  }
};
