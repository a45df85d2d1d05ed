/** What may be asked of a leader on a random day, of a fleet of four. */
import fc from 'fast-check';
import { isEnded, isReleasing } from '../../../services/scheduler/domain/claim.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import type { PartitionState } from '../../../services/scheduler/domain/partition-state.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  finishRelease,
  groupOf,
  offersFrom,
  originOf,
  type ProviderWish,
  setCapacity,
  WHOLE,
} from './builders.ts';

export const UIDS = ['p0', 'p1', 'p2', 'p3'];
const OFFERS = { [CPU]: 4, [WHOLE]: 1 };
export const fleet = (isTree: boolean): readonly ProviderWish[] => [
  { uid: 'p0', offers: OFFERS },
  { uid: 'p1', offers: OFFERS, ...(isTree && { parentUid: 'p0' }) },
  { uid: 'p2', offers: OFFERS, ...(isTree && { parentUid: 'p1' }) },
  { uid: 'p3', offers: OFFERS },
];
export const END = 40;

export type Step = (
  at: number,
  nowMs: number,
  state: PartitionState,
) => Command | 'pass' | 'fail-over';

const claimId = fc.nat(11).map((number) => `c${number}`);
const creating: fc.Arbitrary<Step> = fc
  .record({
    id: claimId,
    wants: fc.constantFrom({ [CPU]: 1 }, { [CPU]: 2 }, { [CPU]: 4 }, { [WHOLE]: 1 }),
    count: fc.integer({ min: 1, max: 3 }),
    inMs: fc.nat(10),
    forMs: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
    ranking: fc.constantFrom('pack' as const, 'spread' as const),
  })
  .map(({ id, wants, count, inMs, forMs, ranking }) => (at, nowMs) => {
    const command = createCommand({
      id,
      groups: [groupOf(wants)],
      count,
      ranking,
      requestId: `step-${at}`,
      acquireMs: nowMs + inMs,
      ...(forMs !== undefined && { releaseMs: nowMs + inMs + forMs }),
    });
    return command.verb === 'create'
      ? { ...command, draft: { ...command.draft, uid: `u${at}` } }
      : command;
  });
/** One that is there, if there is one: most guesses would be of others. */
const oneOf = <T>(all: readonly T[], which: number): T | undefined =>
  all[which % Math.max(1, all.length)];
const releasing: fc.Arbitrary<Step> = fc.nat(11).map((which) => (at, nowMs, state) => {
  const living = [...state.claims.all()].filter((claim) => !isReleasing(claim, nowMs));
  return beginRelease(oneOf(living, which)?.claimId ?? 'c0', `step-${at}`);
});
const finishing: fc.Arbitrary<Step> = fc
  .tuple(fc.nat(11), fc.nat(2))
  .map(([which, where]) => (_, nowMs, state) => {
    const releasing = [...state.claims.all()].filter(
      (claim) => isReleasing(claim, nowMs) && !isEnded(claim),
    );
    const claim = oneOf(releasing, which);
    const held = claim?.providers.filter(({ finishMs }) => finishMs === undefined) ?? [];
    const provider = oneOf(held, where);
    return finishRelease(claim?.claimId ?? 'c0', provider?.uid ?? 'p0');
  });
const resizing: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...UIDS), fc.nat(6), fc.boolean(), fc.boolean())
  .map(
    ([uid, cpus, hasWhole, closed]) =>
      (at) =>
        setCapacity(
          uid,
          { [CPU]: cpus, ...(hasWhole && { [WHOLE]: 1 }) },
          { generation: at + 2, closed },
        ),
  );
const changing = (id: string) => ({
  origin: originOf(''),
  ref: { project: 'red', claim: id },
  precondition: () => undefined,
});
const extending: fc.Arbitrary<Step> = fc
  .tuple(claimId, fc.option(fc.integer({ min: 1, max: 20 })))
  .map(([id, ms]) => (_, nowMs) => ({
    ...changing(id),
    verb: 'extend',
    releaseMs: ms === null ? undefined : nowMs + ms,
  }));
const shortening: fc.Arbitrary<Step> = fc
  .tuple(claimId, fc.integer({ min: 1, max: 10 }))
  .map(([id, ms]) => (_, nowMs) => ({ ...changing(id), verb: 'shorten', releaseMs: nowMs + ms }));
/** A provider of which something is held, of a claim that is half given back if there is one. */
const busyUid = (state: PartitionState, which: number): string => {
  const claims = [...state.claims.all()].filter((claim) => !isEnded(claim));
  const half = claims.filter(({ providers }) =>
    providers.some((one) => one.finishMs !== undefined),
  );
  const held = (half.length > 0 ? half : claims).flatMap(({ providers }) =>
    providers.filter(({ finishMs }) => finishMs === undefined),
  );
  return oneOf(held, which)?.uid ?? 'p0';
};
/** The provider to which something moves need not be one whose capacity changes. */
const reshaping: fc.Arbitrary<Step> = fc
  .record({
    which: fc.nat(11),
    toUid: fc.constantFrom(...UIDS),
    few: fc.nat(8),
    many: fc.option(fc.nat(8), { nil: undefined, freq: 1 }),
  })
  .map(({ which, toUid, few, many }) => (at, _, state) => {
    const fromUid = busyUid(state, which);
    const offered = { [fromUid]: few, ...(many !== undefined && { [toUid]: many }) };
    return {
      verb: 'reshape',
      origin: originOf(''),
      providers: Object.entries(offered).map(([providerUid, cpus]) => ({
        providerUid,
        generation: at + 2,
        offers: offersFrom({ [CPU]: cpus, [WHOLE]: 1 }),
      })),
      moves: [{ fromUid, toUid, resourceType: CPU, claimUid: undefined }],
    };
  });
const limiting: fc.Arbitrary<Step> = fc.option(fc.nat(16)).map((limit) => () => ({
  verb: 'set-quota',
  origin: originOf(''),
  project: 'red',
  ancestors: [],
  precondition: () => undefined,
  quota: { limits: new Map(limit === null ? [] : [[CPU, limit]]) },
}));
export const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: creating, weight: 6 },
  { arbitrary: releasing, weight: 4 },
  { arbitrary: finishing, weight: 8 },
  { arbitrary: resizing, weight: 1 },
  { arbitrary: extending, weight: 3 },
  { arbitrary: shortening, weight: 2 },
  { arbitrary: reshaping, weight: 3 },
  { arbitrary: limiting, weight: 1 },
  { arbitrary: fc.constant<Step>(() => 'pass'), weight: 3 },
  { arbitrary: fc.constant<Step>(() => 'fail-over'), weight: 1 },
);
