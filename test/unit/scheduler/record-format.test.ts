import test from 'ava';
import { claimKey, logKey, parseKey } from '../../../services/scheduler/domain/keys.ts';
import {
  decodeCapacity,
  decodeClaim,
  encodeCapacity,
  encodeClaim,
} from '../../../services/scheduler/domain/record-format.ts';
import { CPU, createCommand, granted, groupOf, run, setCapacity, stateWith } from './builders.ts';

const HOSTS = Array.from({ length: 40 }, (_, at) => ({ uid: `p${at}`, offers: { [CPU]: 25 } }));

test('records come back as they were stored', (t) => {
  const state = stateWith(HOSTS);
  const claim = granted(state, createCommand({ id: 'a', releaseMs: 10 }));
  t.deepEqual(encodeClaim(decodeClaim(encodeClaim(claim))), encodeClaim(claim));
  t.is(decodeClaim(encodeClaim(claim)).spec.releaseMs, 10);
  const decision = run(state, setCapacity('p1', { [CPU]: 9 }, { requestId: 'r' }));
  if (decision.kind !== 'capacity') return t.fail();
  const { capacity } = decision;
  t.deepEqual(decodeCapacity(encodeCapacity(capacity)), capacity);
});

test('a claim of a thousand machines stays small', (t) => {
  const groups = [groupOf({ [CPU]: 1 })];
  const claim = granted(stateWith(HOSTS), createCommand({ id: 'a', groups, count: 1000 }));
  t.is(claim.placements.length, 1000);
  t.true(encodeClaim(claim).byteLength < 60_000);
});

test('a claim that 0.1.0 stored is read: no owner, no ancestors, one block of capabilities', (t) => {
  const groups = [groupOf({ [CPU]: 1 })];
  const claim = granted(stateWith(HOSTS), createCommand({ id: 'a', groups }));
  const { owner: _, ancestors: __, spec, ...rest } = claim;
  const first = (capabilities: object) => {
    const old = { ...spec, groups: spec.groups.map((group) => ({ ...group, capabilities })) };
    return new TextEncoder().encode(JSON.stringify({ v: 1, ...rest, spec: old }));
  };
  const none = { require: [], forbid: [], any: [] };
  t.deepEqual(decodeClaim(first(none)).spec.groups, spec.groups);
  t.deepEqual(decodeClaim(first(none)).ancestors, []);
  t.is(decodeClaim(first(none)).owner, 'users/ada');
  const one = { ...none, require: ['x'] };
  t.deepEqual(decodeClaim(first(one)).spec.groups[0]?.capabilities, [one]);
});

test('a record is read wherever its version stands in it', (t) => {
  const state = stateWith(HOSTS);
  const decision = run(state, setCapacity('p1', { [CPU]: 9 }, { requestId: 'r' }));
  if (decision.kind !== 'capacity') return t.fail();
  const { v, ...rest } = JSON.parse(new TextDecoder().decode(encodeCapacity(decision.capacity)));
  const last = new TextEncoder().encode(JSON.stringify({ ...rest, v }));
  t.deepEqual(decodeCapacity(last), decision.capacity);
});

test('a record of a newer program is refused', (t) => {
  const newer = new TextEncoder().encode(JSON.stringify({ v: 3, uid: 'x' }));
  t.throws(() => decodeClaim(newer), { message: /format/ });
});

test('keys are told apart and logs lie in the order of their numbers', (t) => {
  t.deepEqual(parseKey(claimKey('LAB', 'u1')), {
    partition: 'lab',
    part: { kind: 'claim', uid: 'u1' },
  });
  t.deepEqual(parseKey(logKey('lab', 12)), {
    partition: 'lab',
    part: { kind: 'log', number: 12 },
  });
  t.true(logKey('lab', 9) < logKey('lab', 10));
  for (const key of ['members/scheduler/x', 'partitions/lab', 'partitions/lab/claims/']) {
    t.is(parseKey(key), undefined);
  }
});
