import { aborted, failedPrecondition } from '../../runtime/errors.ts';
import { type CapacityRecord, marksAfter, type Offers, wasReplaced } from './capacity.ts';
import { WHOLE } from './claim.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { type Hold, isWhole, peakUse } from './hold.ts';
import { capacityEntryOf, noteOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';
import { saidAmount, saidOf } from './spoken.ts';

type SetCapacity = Extract<Command, { verb: 'set-capacity' }>;

/**
 * Records what a provider offers. Errors: failed_precondition IN_USE when more is used at any
 * instant from now on, aborted ETAG_MISMATCH for an older generation than the recorded one, and
 * for a late copy of a request that another one has replaced: whoever leads now may not have seen
 * it.
 */
export const decideCapacity = (
  state: PartitionState,
  command: SetCapacity,
  { nowMs }: Moment,
): Decision => {
  const { providerUid, generation, offers, closed, origin } = command;
  const before = state.capacity(providerUid);
  if (before !== undefined && generation < before.generation) {
    throw aborted(
      'ETAG_MISMATCH',
      `The provider's recorded generation is ${before.generation}, not ${generation}; read it again`,
      { metadata: { generation: String(before.generation), providerUid } },
    );
  }
  const note = noteOf(origin, 'set-capacity', nowMs);
  const noted = note === undefined ? {} : { note };
  if (before !== undefined && isSameCapacity(before, command)) {
    return { kind: 'capacity', capacity: before, entry: undefined, ...noted };
  }
  if (before?.generation === generation && wasReplaced(before, origin.requestId)) {
    throw aborted(
      'ETAG_MISMATCH',
      'A later change of the provider has replaced what this request did; read it again',
      { metadata: { generation: String(generation), providerUid } },
    );
  }
  assertEnough(command, [...state.providers.holdsOn(providerUid)], nowMs);
  const capacity: CapacityRecord = {
    providerUid,
    generation,
    offers,
    closed,
    version: (before?.version ?? 0) + 1,
    updateMs: nowMs,
    // Opened or closed it still is what that reshape made.
    ...(before?.generation === generation &&
      before.reshape !== undefined && { reshape: before.reshape }),
    ...marksAfter(before, { generation, requestId: origin.requestId }),
  };
  const facts = state.providers.factsOf(providerUid);
  const name = facts?.name ?? `partitions/${state.partition}/providers/${providerUid}`;
  return {
    kind: 'capacity',
    capacity,
    ...noted,
    entry: capacityEntryOf({ record: capacity, name, origin }),
  };
};

type Content = Pick<CapacityRecord, 'generation' | 'offers' | 'closed'>;

/** True for a retry, or for news of which nothing is new: the record stands. */
export const isSameCapacity = (
  before: CapacityRecord,
  { generation, offers, closed }: Content,
): boolean =>
  before.generation === generation &&
  before.closed === closed &&
  before.offers.size === offers.size &&
  [...offers].every(([code, offer]) => {
    const known = before.offers.get(code);
    return known !== undefined && OFFER_FIELDS.every((field) => known[field] === offer[field]);
  });

const OFFER_FIELDS = ['usable', 'minUnit', 'maxUnit', 'stepSize'] as const;

const assertEnough = (
  { providerUid, offers }: SetCapacity,
  holds: readonly Hold[],
  nowMs: number,
): void => {
  const over = overuseOf(holds, offers, nowMs);
  if (over === undefined) return;
  const { resourceType, used, usable } = over;
  throw failedPrecondition(
    'IN_USE',
    `Claims hold up to ${saidOf(resourceType, used)} on the provider; ` +
      `${saidAmount(resourceType, usable)} would be too little`,
    { metadata: { providerUid, resourceType, used: String(used), usable: String(usable) } },
  );
};

export type Overuse = {
  readonly resourceType: string;
  readonly used: number;
  readonly usable: number;
};

/**
 * What is used above the offers at some instant from now on. A provider held whole only has to stay
 * one: its memory may turn out smaller while a tenant has it.
 */
export const overuseOf = (
  holds: readonly Hold[],
  offers: Offers,
  nowMs: number,
): Overuse | undefined => {
  const window = { fromMs: nowMs, toMs: Infinity };
  const slices = holds.filter((hold) => !isWhole(hold));
  const codes = new Set(slices.flatMap(({ amounts }) => [...amounts.keys()]));
  if (slices.length < holds.length) codes.add(WHOLE);
  for (const resourceType of codes) {
    const used = peakUse(resourceType === WHOLE ? holds : slices, resourceType, window);
    const usable = offers.get(resourceType)?.usable ?? 0;
    if (used > usable) return { resourceType, used, usable };
  }
  return undefined;
};
