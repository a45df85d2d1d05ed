import test from 'ava';
import { isUid } from '../../../../services/runtime/names.ts';
import { holdsOf } from '../../../../services/scheduler/domain/hold.ts';
import { parseKey } from '../../../../services/scheduler/domain/keys.ts';
import {
  decodeCapacity,
  decodeClaim,
} from '../../../../services/scheduler/domain/record-format.ts';
import { createFleet, NODES_PER_RACK } from '../../../bench/fleet/fleet.ts';
import { CAPABILITIES, PROFILES } from '../../../bench/fleet/profile.ts';
import { recordsOf } from '../../../bench/fleet/records.ts';
import { drawSpec } from '../../../bench/fleet/request-mix.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

const SEED = 7;
const PAST = { fill: 0.8, machinesPerClaim: 4, bookings: false, nowMs: Date.UTC(2026, 5, 1) };

test('a provider of a fleet is the same whenever and wherever it is made', (t) => {
  const [one, other] = [
    createFleet({ size: 5_000, seed: SEED }),
    createFleet({ size: 5_000, seed: SEED }),
  ];
  const backwards = Array.from({ length: 100 }, (_, at) => other.provider(4_999 - at * 50));
  for (const provider of backwards) t.deepEqual(one.provider(provider.at), provider);
  const foreign = createFleet({ size: 5_000, seed: SEED + 1 });
  t.notDeepEqual(foreign.provider(0), one.provider(0));
});

test('a hundred thousand providers stand in 500 racks of 20 rows at 2 sites', (t) => {
  const fleet = createFleet({ size: 100_000, seed: SEED });
  const groups = [...fleet.groups()];
  const count = (kind: string) => groups.filter((group) => group.kind === kind).length;
  t.deepEqual([count('site'), count('row'), count('rack'), count('power')], [2, 20, 500, 40]);
  const ids = new Set(groups.map(({ id }) => id));
  t.is(ids.size, groups.length);
  for (const { parent } of groups) t.true(parent === undefined || ids.has(parent));
  for (const at of [0, NODES_PER_RACK, 49_999, 99_999]) {
    for (const group of fleet.provider(at).groups) t.true(ids.has(group), group);
  }
});

test('every profile has its share, and every uid is one of its own', (t) => {
  const fleet = createFleet({ size: 20_000, seed: SEED });
  const uids = new Set<string>();
  const byProfile = new Map<string, number>();
  for (let at = 0; at < fleet.size; at += 1) {
    const { uid, profile, capabilities } = fleet.provider(at);
    t.true(isUid(uid));
    uids.add(uid);
    byProfile.set(profile.name, (byProfile.get(profile.name) ?? 0) + 1);
    t.true(capabilities.every((code) => CAPABILITIES.includes(code)));
  }
  t.is(uids.size, fleet.size);
  for (const { name, perMille } of PROFILES) {
    const seen = ((byProfile.get(name) ?? 0) / fleet.size) * 1000;
    t.true(Math.abs(seen - perMille) < 15, `${name}: ${seen} of ${perMille} in a thousand`);
  }
});

test('the past of a fleet holds what was asked for, and no provider above what it offers', (t) => {
  const fleet = createFleet({ size: 4_000, seed: SEED });
  const offers = new Map<string, ReturnType<typeof decodeCapacity>['offers']>();
  const used = new Map<string, ReadonlyMap<string, number>>();
  const claimUids = new Set<string>();
  for (const write of recordsOf(fleet, PAST)) {
    if (!('put' in write)) throw new Error('A past only puts');
    const part = parseKey(write.put)?.part;
    if (part?.kind === 'capacity') offers.set(part.uid, decodeCapacity(write.value).offers);
    if (part?.kind !== 'claim') continue;
    const claim = decodeClaim(write.value);
    t.false(claimUids.has(claim.uid));
    claimUids.add(claim.uid);
    for (const [uid, { amounts }] of holdsOf(claim, PAST.nowMs)) {
      t.false(used.has(uid), 'no provider is claimed twice');
      used.set(uid, amounts);
    }
  }
  t.is(offers.size, fleet.size);
  for (const [uid, amounts] of used) {
    for (const [code, amount] of amounts)
      t.true(amount <= (offers.get(uid)?.get(code)?.usable ?? 0));
  }
  // Hosts are all in use, servers to 80 %.
  const expected = fleet.size * (0.2 + 0.8 * PAST.fill);
  t.true(Math.abs(used.size - expected) < fleet.size * 0.03, `${used.size} of ${expected}`);
});

test('a booking begins after whatever holds its provider now', (t) => {
  const fleet = createFleet({ size: 1_000, seed: SEED });
  const past = { ...PAST, machinesPerClaim: 1, bookings: true };
  const windows = new Map<string, { readonly fromMs: number; readonly toMs: number }[]>();
  for (const write of recordsOf(fleet, past)) {
    if (!('put' in write) || parseKey(write.put)?.part.kind !== 'claim') continue;
    for (const [uid, { fromMs, toMs }] of holdsOf(decodeClaim(write.value), past.nowMs)) {
      windows.set(uid, [...(windows.get(uid) ?? []), { fromMs, toMs }]);
    }
  }
  t.is(windows.size, fleet.size);
  for (const [first, second] of windows.values()) {
    const [one, two] = [first, second].toSorted((a, b) => (a?.fromMs ?? 0) - (b?.fromMs ?? 0));
    t.true((one?.fromMs ?? Infinity) < (one?.toMs ?? 0));
    if (two !== undefined) t.true((one?.toMs ?? Infinity) < two.fromMs);
  }
});

test('people ask for servers by capability, servers of a rack and slices, 2 to 1 to 1', (t) => {
  const fleet = createFleet({ size: 10_000, seed: SEED });
  const { fraction } = seededRandom(SEED);
  const kinds = { capability: 0, rack: 0, slice: 0 };
  for (let at = 0; at < 4_000; at += 1) {
    const [group] = drawSpec(fleet, fraction).groups ?? [];
    if ((group?.resources?.length ?? 0) > 1) kinds.slice += 1;
    else if (group?.providerGroups === undefined) kinds.capability += 1;
    else kinds.rack += 1;
  }
  t.true(Math.abs(kinds.capability - 2_000) < 150, JSON.stringify(kinds));
  t.true(Math.abs(kinds.rack - 1_000) < 150, JSON.stringify(kinds));
});
