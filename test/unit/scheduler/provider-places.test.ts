/** Where providers are when groups come, go, move or become of another kind. */
import test from 'ava';
import fc from 'fast-check';
import { NumberSet } from '../../../services/scheduler/domain/number-set.ts';
import { groupKey, kindKey } from '../../../services/scheduler/domain/postings.ts';
import {
  createProviderIndex,
  type ProviderIndex,
} from '../../../services/scheduler/domain/provider-index.ts';
import type {
  GroupFacts,
  GroupKind,
  Topology,
} from '../../../services/scheduler/domain/topology.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { factsOf } from './builders.ts';

const KINDS = ['rack', 'row', 'power'] as const;
const IDS = ['g0', 'g1', 'g2', 'g3', 'g4'];

type GroupCase = { readonly kind: GroupKind; readonly parent: string | undefined };

const topologyOf = (groups: readonly (readonly [string, GroupCase])[]): Topology => ({
  groups: new Map(
    groups.map(([id, one]): [string, GroupFacts] => [
      id,
      { id, ...one, sharedProviders: [], distances: [] },
    ]),
  ),
  distanceTypes: new Map(),
  turnaroundMs: new Map(),
  schedulable: new Set(),
});

/** Of each id whether it is there, and then of which kind and in which of those after it. */
const topologies = fc
  .tuple(
    ...IDS.map((_, at) =>
      fc.option(
        fc.record({
          kind: fc.constantFrom(...KINDS),
          parent: fc.constantFrom(undefined, ...IDS.slice(at + 1)),
        }),
        { nil: undefined, freq: 3 },
      ),
    ),
  )
  .map((cases) =>
    topologyOf(
      cases.flatMap((one, at) => (one === undefined ? [] : [[IDS[at] ?? '', one] as const])),
    ),
  );

const providers = fc.array(
  fc.record({ groups: fc.subarray(IDS), parentSeed: fc.option(fc.nat(), { nil: undefined }) }),
  { minLength: 1, maxLength: 6 },
);

const put = (
  index: ProviderIndex,
  cases: readonly { readonly groups: readonly string[]; readonly parentSeed: number | undefined }[],
): void => {
  for (const [at, { groups, parentSeed }] of cases.entries()) {
    const parent = parentSeed === undefined || at === 0 ? undefined : `p${parentSeed % at}`;
    index.setFacts(`p${at}`, {
      ...factsOf({ uid: `p${at}`, groups }),
      ...(parent !== undefined && { parentUid: parent }),
    });
  }
};

const listedIn = (index: ProviderIndex) =>
  [...IDS.map(groupKey), ...KINDS.map(kindKey)].map((key) => [
    key,
    [...index.postings.of(key)].map((n) => index.member(n).uid).toSorted(),
  ]);

test('groups that change leave everybody where a new index would have them', (t) => {
  fc.assert(
    fc.property(fc.array(topologies, { minLength: 1, maxLength: 4 }), providers, (all, cases) => {
      const index = createProviderIndex();
      put(index, cases);
      for (const topology of all) {
        index.setTopology(topology);
        const fresh = createProviderIndex();
        fresh.setTopology(topology);
        put(fresh, cases);
        t.deepEqual(listedIn(index), listedIn(fresh));
      }
    }),
    { numRuns: propertyRuns(300) },
  );
});

const RACKS = 1_000;

const racks = (changed: GroupCase): Topology =>
  topologyOf(
    Array.from({ length: RACKS }, (_, at) => {
      const one: GroupCase = { kind: 'rack', parent: `row-${Math.floor(at / 10)}` };
      return [`rack-${at}`, at === 7 ? changed : one];
    }),
  );

/** With how often a list of providers was changed meanwhile. */
const counted = (act: () => void): number => {
  const { add, delete: remove } = NumberSet.prototype;
  let changes = 0;
  NumberSet.prototype.add = function count(n) {
    changes += 1;
    return add.call(this, n);
  };
  NumberSet.prototype.delete = function count(n) {
    changes += 1;
    return remove.call(this, n);
  };
  try {
    act();
    return changes;
  } finally {
    Object.assign(NumberSet.prototype, { add, delete: remove });
  }
};

test('one group of a thousand that changes costs what its members cost', (t) => {
  const index = createProviderIndex();
  index.setTopology(racks({ kind: 'rack', parent: 'row-0' }));
  const MEMBERS = 3;
  for (let n = 0; n < RACKS * MEMBERS; n += 1) {
    index.setFacts(`p${n}`, factsOf({ uid: `p${n}`, groups: [`rack-${n % RACKS}`] }));
  }
  const placeOf = (n: number) => index.find(`p${n}`)?.place;
  const before = Array.from({ length: RACKS * MEMBERS }, (_, n) => placeOf(n));
  const changes = counted(() => index.setTopology(racks({ kind: 'rack', parent: 'row-99' })));
  // Each leaves the rack, its row and its kind, and enters them.
  t.is(changes, MEMBERS * 6);
  for (const [n, place] of before.entries()) {
    if (n % RACKS === 7) t.deepEqual([...(placeOf(n)?.ids ?? [])], ['rack-7', 'row-99']);
    else t.is(placeOf(n), place, 'the same object');
  }
  t.is(placeOf(7), placeOf(7 + RACKS), 'members of one group share their place');
  const same = racks({ kind: 'rack', parent: 'row-99' });
  t.is(
    counted(() => index.setTopology(same)),
    0,
  );
  index.setFacts('new', factsOf({ uid: 'new', groups: ['rack-8'] }));
  t.is(index.find('new')?.place, placeOf(8), 'also with whoever comes later');
});
