import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { DomainError } from '../../../services/runtime/errors.ts';
import type { Command, Draft } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import type { PartitionState } from '../../../services/scheduler/domain/partition-state.ts';
import { createQuotaBook } from '../../../services/scheduler/domain/quota-book.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import {
  beginRelease,
  CPU,
  type CreateWish,
  createCommand,
  finishRelease,
  granted,
  groupOf,
  MEMORY,
  originOf,
  run,
  stateWith,
} from './builders.ts';

const HOST = { uid: 'p1', offers: { [CPU]: 1_000, [MEMORY]: 1_000 } };
const cpus = (amount: number) => [groupOf({ [CPU]: amount })];

type Wish = Omit<CreateWish, 'id'> & {
  readonly project?: string;
  readonly ancestors?: readonly string[];
  readonly owner?: string;
  readonly isUnbounded?: boolean;
};

const claimOf = (id: string, wish: Wish = {}): Command => {
  const command = createCommand({ id, ...wish });
  if (command.verb !== 'create') throw new Error('createCommand creates');
  const draft: Draft = {
    ...command.draft,
    project: wish.project ?? 'red',
    ancestors: wish.ancestors ?? [],
    isUnbounded: wish.isUnbounded ?? false,
  };
  const origin = { ...command.origin, principal: wish.owner ?? 'users/ada' };
  return { ...command, draft, origin };
};

type Limits = Readonly<Record<string, number>>;
const setQuota = (
  project: string,
  limits: Limits,
  rest: {
    readonly ancestors?: readonly string[];
    readonly defaultMs?: number;
    readonly maxMs?: number;
    readonly requestId?: string;
  } = {},
): Command => ({
  verb: 'set-quota',
  origin: originOf(rest.requestId ?? ''),
  project,
  ancestors: rest.ancestors ?? [],
  precondition: () => undefined,
  quota: {
    limits: new Map(Object.entries(limits)),
    ...(rest.defaultMs !== undefined && { claimLengthDefaultMs: rest.defaultMs }),
    ...(rest.maxMs !== undefined && { claimLengthMaxMs: rest.maxMs }),
  },
});

const setUsers = (project: string, users: Readonly<Record<string, Limits>>): Command => ({
  verb: 'set-user-quotas',
  origin: originOf(''),
  project,
  ancestors: [],
  precondition: () => undefined,
  users: new Map(
    Object.entries(users).map(([user, limits]) => [user, new Map(Object.entries(limits))]),
  ),
});

const refuses = (
  t: ExecutionContext,
  state: PartitionState,
  command: Command,
  reason: string,
  nowMs = 0,
): DomainError => {
  const error = t.throws(() => decide(state, command, { nowMs, logNumber: 1 }), {
    instanceOf: DomainError,
  });
  t.is(error?.reason, reason, error?.message);
  return error ?? new DomainError('internal', 'NONE', 'nothing was thrown');
};

const usesOf = (state: PartitionState, project: string, nowMs = 0) =>
  state.quotas
    .uses(project, nowMs)
    .map(({ resourceType, limit, used, peak }) => [resourceType, limit, used, peak]);

test('a claim beyond the quota is refused with all numbers', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('red', { [CPU]: 10 }));
  granted(state, claimOf('a', { groups: cpus(6) }));
  const { metadata, kind } = refuses(t, state, claimOf('b', { groups: cpus(5) }), 'QUOTA_EXCEEDED');
  t.is(kind, 'resource_exhausted');
  t.deepEqual(metadata, {
    project: 'red',
    resourceType: CPU,
    limit: '10',
    used: '6',
    wanted: '5',
  });
  granted(state, claimOf('b', { groups: cpus(4) }));
  t.deepEqual(usesOf(state, 'red'), [[CPU, 10, 10, 10]]);
  granted(state, claimOf('c', { groups: [groupOf({ [MEMORY]: 900 })] }));
  granted(state, claimOf('d', { project: 'blue', groups: cpus(20) }));
});

test('of what may be less as much is given as the quota allows', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('red', { [CPU]: 10, [MEMORY]: 7 }));
  const flexible = (amount: number, minAmount: number, memory = 1) => [
    {
      ...groupOf({}),
      resources: [
        { resourceType: CPU, amount, minAmount },
        { resourceType: MEMORY, amount: memory, minAmount: 1 },
      ],
    },
  ];
  const one = granted(state, claimOf('a', { groups: flexible(64, 2, 4) }));
  t.deepEqual(one.placements[0]?.amounts, [10, 4]);
  t.is(one.spec.groups[0]?.resources[0]?.amount, 64, 'the request stays as it was');
  run(state, beginRelease('a'));
  const both = granted(state, claimOf('b', { groups: flexible(64, 2), count: 3 }));
  t.deepEqual(
    both.placements.map(({ amounts }) => amounts?.[0]),
    [3, 3, 3],
  );
  const last = granted(state, claimOf('c', { groups: flexible(64, 1, 64) }));
  t.deepEqual(last.placements[0]?.amounts, [1, 4], 'of each type what is left');
  t.throws(() => run(state, claimOf('d', { groups: flexible(8, 1) })), { instanceOf: DomainError });
});

test('what counts is the peak over the window', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('red', { [CPU]: 4 }));
  granted(state, claimOf('a', { groups: cpus(4), acquireMs: 100, releaseMs: 200 }));
  granted(state, claimOf('b', { groups: cpus(4), acquireMs: 200, releaseMs: 300 }));
  granted(state, claimOf('c', { groups: cpus(4), acquireMs: 0, releaseMs: 100 }));
  refuses(t, state, claimOf('d', { groups: cpus(1), acquireMs: 0 }), 'QUOTA_EXCEEDED');
  refuses(
    t,
    state,
    claimOf('d', { groups: cpus(1), acquireMs: 299, releaseMs: 400 }),
    'QUOTA_EXCEEDED',
  );
  granted(state, claimOf('d', { groups: cpus(1), acquireMs: 300 }));
  t.deepEqual(usesOf(state, 'red'), [[CPU, 4, 4, 4]]);
});

test('a claim counts against every project above its own', (t) => {
  const state = stateWith([HOST]);
  const team = { project: 'team', ancestors: ['unit', 'firm'] };
  run(state, setQuota('firm', { [CPU]: 8 }));
  granted(state, claimOf('a', { ...team, groups: cpus(6) }));
  granted(state, claimOf('b', { project: 'firm', groups: cpus(1) }));
  const over = refuses(t, state, claimOf('c', { ...team, groups: cpus(2) }), 'QUOTA_EXCEEDED');
  t.is(over.metadata.project, 'firm');
  t.deepEqual(usesOf(state, 'firm'), [[CPU, 8, 7, 7]]);
  t.deepEqual(usesOf(state, 'unit'), [[CPU, undefined, 6, 6]]);
});

test('projects in another fit into its limit together, whatever lies between', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('firm', { [CPU]: 10 }));
  run(state, setQuota('a', { [CPU]: 6 }, { ancestors: ['unit', 'firm'] }));
  const left = refuses(
    t,
    state,
    setQuota('b', { [CPU]: 5 }, { ancestors: ['firm'] }),
    'QUOTA_EXCEEDED',
  );
  t.is(left.kind, 'failed_precondition');
  t.is(left.metadata.left, '4');
  run(state, setQuota('b', { [CPU]: 4, [MEMORY]: 99 }, { ancestors: ['firm'] }));
  refuses(t, state, setQuota('firm', { [CPU]: 9 }), 'IN_USE');
  // The unit takes over what its project has of the firm's.
  refuses(t, state, setQuota('unit', { [CPU]: 5 }, { ancestors: ['firm'] }), 'IN_USE');
  run(state, setQuota('unit', { [CPU]: 6 }, { ancestors: ['firm'] }));
  run(state, setQuota('a', { [CPU]: 2 }, { ancestors: ['unit', 'firm'] }));
  // Without the unit's limit its project counts against the firm again.
  run(state, setQuota('unit', {}, { ancestors: ['firm'] }));
  run(state, setQuota('b', { [CPU]: 8 }, { ancestors: ['firm'] }));
  run(state, setQuota('firm', {}));
});

test('a limit below what is used is taken and blocks new claims', (t) => {
  const state = stateWith([HOST]);
  granted(state, claimOf('a', { groups: cpus(6) }));
  run(state, setQuota('red', { [CPU]: 2 }));
  t.deepEqual(usesOf(state, 'red'), [[CPU, 2, 6, 6]]);
  refuses(t, state, claimOf('b'), 'QUOTA_EXCEEDED');
  run(state, setQuota('red', { [CPU]: 0 }));
  refuses(t, state, claimOf('b'), 'QUOTA_EXCEEDED');
  run(state, setQuota('red', {}));
  granted(state, claimOf('b'));
});

test('quota returns with the commit of the begin of the release', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('red', { [CPU]: 4 }));
  granted(state, claimOf('a', { groups: cpus(4) }));
  const releasing = decide(state, beginRelease('a'), { nowMs: 5, logNumber: 1 });
  state.take(releasing, 5);
  refuses(t, state, claimOf('b'), 'QUOTA_EXCEEDED', 5);
  state.settle(releasing, 5);
  granted(state, claimOf('b', { groups: cpus(4) }), 5);
  run(state, finishRelease('a', 'p1'), 6);
  t.deepEqual(usesOf(state, 'red', 6), [[CPU, 4, 4, 4]]);
});

test('a user is limited inside the project, from what he holds already', (t) => {
  const state = stateWith([HOST]);
  granted(state, claimOf('a', { groups: cpus(3), owner: 'users/ada' }));
  run(state, setUsers('red', { 'users/ada': { [CPU]: 4 } }));
  const over = refuses(t, state, claimOf('b', { groups: cpus(2) }), 'QUOTA_EXCEEDED');
  t.is(over.metadata.user, 'users/ada');
  t.is(over.metadata.used, '3');
  granted(state, claimOf('b', { groups: cpus(2), owner: 'users/bob' }));
  granted(state, claimOf('c', { groups: cpus(1), owner: 'users/ada' }));
  const below = { project: 'sub', ancestors: ['red'], groups: cpus(1) };
  refuses(t, state, claimOf('d', below), 'QUOTA_EXCEEDED');
  run(state, beginRelease('c'));
  granted(state, claimOf('d', below));
  run(state, setQuota('red', { [CPU]: 100 }));
  refuses(t, state, claimOf('e'), 'QUOTA_EXCEEDED');
  run(state, setUsers('red', {}));
  granted(state, claimOf('e'));
});

test('a project gives its claims a length and a longest one', (t) => {
  const state = stateWith([HOST]);
  run(state, setQuota('firm', {}, { defaultMs: 1_000, maxMs: 5_000 }));
  const team = { project: 'team', ancestors: ['firm'] };
  t.is(granted(state, claimOf('a', { ...team, acquireMs: 10 })).spec.releaseMs, 1_010);
  t.is(granted(state, claimOf('b', { ...team, releaseMs: 5_000 })).spec.releaseMs, 5_000);
  const long = refuses(t, state, claimOf('c', { ...team, releaseMs: 5_001 }), 'CLAIM_TOO_LONG');
  t.is(long.metadata.project, 'firm');
  run(state, setQuota('team', {}, { ancestors: ['firm'], maxMs: 9_000 }));
  granted(state, claimOf('c', { ...team, releaseMs: 9_000 }));
  // Who runs the partition has no default, until something limits the length.
  const endOf = (id: string, rest: Wish = {}) =>
    granted(state, claimOf(id, { ...team, ...rest })).spec.releaseMs;
  t.is(endOf('d', { isUnbounded: true }), 1_000);
  run(state, setQuota('team', {}, { ancestors: ['firm'], maxMs: 700 }));
  t.is(endOf('e'), 700, 'the default of the project above is longer than what is allowed here');
  t.is(endOf('f', { isUnbounded: true }), 700);
  run(state, setQuota('firm', {}));
  t.is(endOf('g'), 700, 'without a default it is as long as is allowed');
  t.is(endOf('h', { isUnbounded: true }), 700);
  run(state, setQuota('firm', {}, { defaultMs: 1_000 }));
  run(state, setQuota('team', {}, { ancestors: ['firm'] }));
  t.is(endOf('i', { isUnbounded: true }), undefined);
  t.is(endOf('j'), 1_000);
});

test('the same request sets a quota once', (t) => {
  const state = stateWith([HOST]);
  const first = run(state, setQuota('red', { [CPU]: 1 }, { requestId: 'r1' }));
  const again = run(state, setQuota('red', { [CPU]: 1 }, { requestId: 'r1' }));
  t.is(first.kind === 'quota' && first.quota.generation, 1);
  t.is(again.kind === 'quota' && again.quota.generation, 1);
  const other = { ...setQuota('red', {}), origin: originOf('r1', { argumentHash: 'other' }) };
  refuses(t, state, other as Command, 'REQUEST_ID_REUSED');
});

const PROJECTS = [
  { project: 'firm', ancestors: [] },
  { project: 'team', ancestors: ['firm'] },
  { project: 'solo', ancestors: [] },
] as const;

type Step = (at: number, nowMs: number) => Command | number;
const where = fc.constantFrom(...PROJECTS);
const owner = fc.constantFrom('users/ada', 'users/bob');
const amounts = fc.dictionary(fc.constantFrom(CPU, MEMORY), fc.nat(30));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        where,
        owner,
        cpus: fc.integer({ min: 1, max: 9 }),
        inMs: fc.nat(20),
        ms: fc.option(fc.integer({ min: 1, max: 30 })),
      })
      .map(
        ({ where: place, owner: who, cpus: amount, inMs, ms }): Step =>
          (at, nowMs) =>
            claimOf(`c${at}`, {
              ...place,
              owner: who,
              groups: cpus(amount),
              acquireMs: nowMs + inMs,
              ...(ms !== null && { releaseMs: nowMs + inMs + ms }),
            }),
      ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(), where).map(
      ([pick, { project }]): Step =>
        (at) =>
          ({
            ...beginRelease(`c${pick % Math.max(1, at)}`, ''),
            ref: { project, claim: `c${pick % Math.max(1, at)}` },
          }) as Command,
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(where, amounts).map(
      ([{ project, ancestors }, limits]): Step =>
        () =>
          setQuota(project, limits, { ancestors }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(where, owner, amounts).map(
      ([{ project }, user, limits]): Step =>
        () =>
          setUsers(project, { [user]: limits }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(10).map(
      (ms): Step =>
        () =>
          ms,
    ),
  },
);

/** Counts claim by claim at every instant. */
const heldAt = (state: PartitionState, project: string, ms: number): number =>
  [...state.claims.all()]
    .filter((claim) => [claim.project, ...claim.ancestors].includes(project))
    .filter(({ releaseBeginMs }) => releaseBeginMs === undefined)
    .filter(({ spec }) => spec.acquireMs <= ms && ms < (spec.releaseMs ?? Infinity))
    .reduce((sum, { spec }) => sum + (spec.groups[0]?.resources[0]?.amount ?? 0), 0);

test('the use of a quota is the sum of its claims at every instant, whatever happens', (t) => {
  let looked = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 50 }), (steps) => {
      const state = stateWith([HOST]);
      let nowMs = 0;
      for (const [at, make] of steps.entries()) {
        const wish = make(at, nowMs);
        if (typeof wish === 'number') nowMs += wish;
        else {
          try {
            run(state, wish, nowMs);
          } catch (error) {
            if (!(error instanceof DomainError)) throw error;
            t.not(error.kind, 'internal');
          }
        }
        state.quotas.setNow(nowMs);
        const fresh = createQuotaBook();
        fresh.setNow(nowMs);
        for (const claim of state.claims.all()) fresh.count(claim.uid, claim);
        fresh.load(state.quotas.all());
        for (const { project } of PROJECTS) {
          const whole = state.quotas.uses(project, nowMs);
          t.deepEqual(fresh.uses(project, nowMs), whole, 'summed up anew it is the same');
          const use = state.quotas
            .uses(project, nowMs)
            .find(({ resourceType }) => resourceType === CPU);
          const instants = Array.from({ length: 60 }, (_, ms) =>
            heldAt(state, project, nowMs + ms),
          );
          t.is(use?.used ?? 0, instants[0] ?? 0);
          t.is(use?.peak ?? 0, Math.max(...instants));
          looked += instants[0] ?? 0;
        }
      }
    }),
    { numRuns: propertyRuns(300) },
  );
  t.true(looked > propertyRuns(1_000), 'the days have claims in them');
});
