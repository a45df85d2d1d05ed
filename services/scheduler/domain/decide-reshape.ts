/**
 * Changes what several providers offer and moves allocations between them, all in one step: before
 * and after it no provider is used above what it offers.
 */
import { aborted, failedPrecondition, invalidArgument, notFound } from '../../runtime/errors.ts';
import { type CapacityRecord, marksAfter, type Offers } from './capacity.ts';
import { changed } from './change-claim.ts';
import { type ClaimRecord, isEnded, WHOLE } from './claim.ts';
import type { Command, Decision, LogEntry, Moved } from './command.ts';
import type { Moment } from './decide.ts';
import { isSameCapacity, type Overuse, overuseOf } from './decide-capacity.ts';
import { type Hold, holdsOf, isWhole, overlaps } from './hold.ts';
import { capacityEntryOf, entryOf } from './log-entry.ts';
import { moveAllocations } from './move-allocations.ts';
import type { PartitionState } from './partition-state.ts';
import { saidAmount, saidOf } from './spoken.ts';

type Reshape = Extract<Command, { verb: 'reshape' }>;

/**
 * Errors: aborted ETAG_MISMATCH for an old generation, failed_precondition IN_USE when a provider
 * would be used above what it offers, not_found when a move has nothing to move.
 */
export const decideReshape = (
  state: PartitionState,
  command: Reshape,
  moment: Moment,
): Decision => {
  assertEachOnce(command);
  const capacities = command.providers.map((one) =>
    capacityOf(state, one, { moment, origin: command.origin }),
  );
  if (capacities.every(({ isNew }) => !isNew)) {
    const moved = movedBefore(state, command);
    return { kind: 'reshape', capacities: [], claims: [], moved, entries: [] };
  }
  const claims = movedClaims(state, command, moment);
  const records = noted(
    capacities.filter(({ isNew }) => isNew).map(({ record }) => record),
    { requestId: command.origin.requestId, claims: claims.length },
  );
  const offers = new Map(
    command.providers.map(({ providerUid, offers: its }) => [providerUid, its]),
  );
  const touched = new Set([...offers.keys(), ...command.moves.map(({ toUid }) => toUid)]);
  for (const uid of touched) {
    const after = holdsAfter(state, { uid, claims }, moment.nowMs);
    const its = offers.get(uid) ?? state.offersOf(uid);
    assertFits(state, { uid, offers: its, ...after }, moment.nowMs);
  }
  return {
    kind: 'reshape',
    capacities: records,
    claims,
    moved: claims.length,
    entries: entriesFor(state, { command, records, claims }),
  };
};

const assertEachOnce = ({ providers, moves }: Reshape): void => {
  const uids = providers.map(({ providerUid }) => providerUid);
  const twice = uids.find((uid, at) => uids.indexOf(uid) !== at);
  if (twice !== undefined) throw wrong('providers', `"${twice}" stands twice`);
  const idle = moves.find(({ fromUid, toUid }) => fromUid === toUid);
  if (idle !== undefined) throw wrong('moves', `"${idle.fromUid}" is both ends of a move`);
};

const wrong = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });

const capacityOf = (
  state: PartitionState,
  { providerUid, generation, offers }: Reshape['providers'][number],
  { moment, origin }: { readonly moment: Moment; readonly origin: Reshape['origin'] },
): { readonly record: CapacityRecord; readonly isNew: boolean } => {
  const before = state.capacity(providerUid);
  if (before !== undefined && generation < before.generation) {
    throw aborted(
      'ETAG_MISMATCH',
      `Provider "${providerUid}" has recorded generation ${before.generation}, not ${generation}`,
      { metadata: { generation: String(before.generation), providerUid } },
    );
  }
  const closed = before?.closed ?? true;
  if (before !== undefined && isSameCapacity(before, { generation, offers, closed })) {
    return { record: before, isNew: false };
  }
  const version = (before?.version ?? 0) + 1;
  const marks = marksAfter(before, { generation, requestId: origin.requestId });
  const updateMs = moment.nowMs;
  const record = { providerUid, generation, offers, closed, version, updateMs, ...marks };
  return { record, isNew: true };
};

/** The first record tells a repeat how many claims were moved. */
const noted = (
  records: readonly CapacityRecord[],
  reshape: NonNullable<CapacityRecord['reshape']>,
): readonly CapacityRecord[] =>
  records.map((record, at) =>
    at === 0 && reshape.requestId !== '' ? { ...record, reshape } : record,
  );

/** How many claims the same request has moved already; another request moved none. */
const movedBefore = (
  state: PartitionState,
  { providers, moves, origin: { requestId } }: Reshape,
): number => {
  if (requestId === '') return 0;
  for (const { providerUid } of providers) {
    const reshape = state.capacity(providerUid)?.reshape;
    if (reshape?.requestId === requestId) return reshape.claims;
  }
  // Records of 0.1.0 do not tell; the claims do for as long as they remember the request.
  const there = new Set(moves.flatMap(({ toUid }) => [...state.claims.ofProvider(toUid)]));
  return [...there].filter(({ requests }) => requests.some((note) => note.requestId === requestId))
    .length;
};

/** Every move in turn, on what the moves before it have left. */
const movedClaims = (
  state: PartitionState,
  { moves, origin, verb }: Reshape,
  moment: Moment,
): readonly Moved[] => {
  const now = new Map<string, ClaimRecord>();
  for (const move of moves) {
    let count = 0;
    const asked =
      move.claimUid === undefined
        ? [...state.claims.ofProvider(move.fromUid), ...now.values()].map(({ uid }) => uid)
        : [move.claimUid];
    for (const uid of new Set(asked)) {
      const claim = now.get(uid) ?? state.claims.get(uid);
      if (claim === undefined || isEnded(claim)) continue;
      const name = state.providers.factsOf(move.toUid)?.name ?? move.toUid;
      const next = moveAllocations(claim, move, name);
      if (next === undefined) continue;
      count += 1;
      now.set(uid, next);
    }
    if (count === 0) throw nothingToMove(move);
  }
  return [...now.values()].map((claim) => {
    const there = new Set(claim.providers.map(({ uid }) => uid));
    const before = state.claims.get(claim.uid)?.providers ?? [];
    const left = before.map(({ uid }) => uid).filter((uid) => !there.has(uid));
    return { claim: changed(claim, { origin, verb, moment }), left };
  });
};

const nothingToMove = ({ fromUid, resourceType, claimUid }: Reshape['moves'][number]) => {
  const whose = claimUid === undefined ? 'No claim' : `Claim "${claimUid}"`;
  return notFound('NOT_FOUND', `${whose} holds ${resourceType} of provider "${fromUid}"`, {
    metadata: { name: fromUid, type: 'runm.provider', resourceType },
  });
};

type There = { readonly uid: string; readonly claims: readonly Moved[] };

/** Of a provider in one tree with another. */
type Related = { readonly uid: string; readonly hold: Hold };

type After = {
  readonly holds: readonly Hold[];
  /** Of whole providers above it, and of what is below it. */
  readonly above: readonly Related[];
  readonly below: readonly Related[];
};

const holdsAfter = (state: PartitionState, { uid, claims }: There, nowMs: number): After => {
  const moved = new Set(claims.map(({ claim }) => claim.uid));
  const stays = ({ claimUid }: Hold) => !moved.has(claimUid);
  const { providers } = state;
  const booked = providers.find(uid)?.booked;
  const implied = (side: 'above' | 'below'): readonly Related[] =>
    (booked?.[side] ?? []).flatMap(({ source, hold }) =>
      stays(hold) ? [{ uid: providers.member(source).uid, hold }] : [],
    );
  const holdsOn = (uids: ReadonlySet<string>): readonly Related[] =>
    claims.flatMap(({ claim }) =>
      [...holdsOf(claim, nowMs)].flatMap(([at, hold]) => (uids.has(at) ? [{ uid: at, hold }] : [])),
    );
  const own = holdsOn(new Set([uid])).map(({ hold }) => hold);
  const above = holdsOn(new Set(providers.above(uid)));
  return {
    holds: [...(booked?.own ?? []).filter(stays), ...own],
    above: [...implied('above'), ...above.filter(({ hold }) => isWhole(hold))],
    below: [...implied('below'), ...holdsOn(new Set(providers.below(uid)))],
  };
};

type Judged = After & { readonly uid: string; readonly offers: Offers };

/** Errors: failed_precondition IN_USE. */
const assertFits = (
  { providers }: PartitionState,
  { uid, offers, ...after }: Judged,
  nowMs: number,
): void => {
  const nameOf = (one: string) => providers.factsOf(one)?.name ?? one;
  const inUse = (text: string, { uid: providerUid, ...over }: Overuse & { readonly uid: string }) =>
    failedPrecondition('IN_USE', text, {
      metadata: {
        providerUid,
        resourceType: over.resourceType,
        used: String(over.used),
        usable: String(over.usable),
      },
    });
  const over = overuseOf(after.holds, offers, nowMs);
  if (over !== undefined) {
    const { resourceType, used, usable } = over;
    const text =
      `Claims would hold up to ${saidOf(resourceType, used)} on provider "${nameOf(uid)}", ` +
      `which offers ${saidAmount(resourceType, usable)}`;
    throw inUse(text, { ...over, uid });
  }
  const shared = sharedWhole(uid, after);
  if (shared === undefined) return;
  const also = shared.part === shared.whole ? 'it' : `its part "${nameOf(shared.part)}"`;
  const text =
    `One claim would hold provider "${nameOf(shared.whole)}" whole ` +
    `while another holds ${also}`;
  throw inUse(text, { uid: shared.whole, resourceType: WHOLE, used: 2, usable: 1 });
};

/** What one claim takes whole while another has something of it: of it itself, or of a part. */
const sharedWhole = (uid: string, { holds, above, below }: After) => {
  for (const own of holds) {
    const isBarred = (other: Hold) => other.claimUid !== own.claimUid && overlaps(other, own);
    const whole = above.find(({ hold }) => isBarred(hold));
    if (whole !== undefined) return { whole: whole.uid, part: uid };
    if (holds.some((other) => (isWhole(own) || isWhole(other)) && isBarred(other))) {
      return { whole: uid, part: uid };
    }
    const part = isWhole(own) ? below.find(({ hold }) => isBarred(hold)) : undefined;
    if (part !== undefined) return { whole: uid, part: part.uid };
  }
  return undefined;
};

type Outcome = {
  readonly command: Reshape;
  readonly records: readonly CapacityRecord[];
  readonly claims: readonly Moved[];
};

const entriesFor = (
  state: PartitionState,
  { command: { origin, moves }, records, claims }: Outcome,
): readonly LogEntry[] => [
  ...records.map((record) => {
    const facts = state.providers.factsOf(record.providerUid);
    const name = facts?.name ?? `partitions/${state.partition}/providers/${record.providerUid}`;
    return { ...capacityEntryOf({ record, name, origin }), action: 'capacity.reshape' };
  }),
  ...claims.map(({ claim }) => entryOf('claim.move', { claim, origin, after: { moves } })),
];
