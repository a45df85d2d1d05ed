import test from 'ava';
import { newHead, type ProviderRecord } from '../../../services/inventory/domain/records.ts';
import {
  busy,
  demandFree,
  holds,
  isAbandoned,
  isLeftOver,
  neverReserved,
  nextGeneration,
  overtaken,
  RENEWED_MS,
  RESERVED_MS,
  renewed,
  reserve,
  returned,
  STEP_MS,
  withdrawn,
} from '../../../services/inventory/domain/reservation.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';

const NOW_MS = 1_000_000;

const provider = (more: Partial<ProviderRecord> = {}): ProviderRecord => ({
  ...newHead({ uid: 'u', id: 'host-1', nowMs: NOW_MS }),
  doc: '{}',
  partition: 'lab',
  parentUid: '',
  rootUid: 'u',
  observed: '',
  generation: 3,
  reserved: neverReserved(3),
  ...more,
});

const FREE = neverReserved(0);
const generation = (of: number) => new Map([['u', of]]);

const isBusy = (error: unknown): boolean => isDomainError(error, 'aborted', 'BUSY');

test('a reservation is of the next generation and changes nothing that callers see', (t) => {
  const before = provider();
  const held = reserve(before, 'me', NOW_MS);
  t.deepEqual(held.reserved, { ...FREE, generation: 4, holder: 'me', sinceMs: NOW_MS });
  t.deepEqual({ ...held, reserved: before.reserved }, before);
});

test('a repeat goes on with the generation of the first try, from now on', (t) => {
  const held = reserve(provider(), 'me', NOW_MS);
  const again = reserve(held, 'me', NOW_MS + 5);
  t.deepEqual(again.reserved, { ...FREE, generation: 4, holder: 'me', sinceMs: NOW_MS + 5 });
  t.is(reserve(held, 'you', NOW_MS + RESERVED_MS).reserved.generation, 5);
});

test('a renewed reservation is the same, from now on, and outlasts every step', (t) => {
  const held = reserve(provider(), 'me', NOW_MS);
  const again = renewed(held, NOW_MS + 5);
  t.deepEqual(again, { ...held, reserved: { ...held.reserved, sinceMs: NOW_MS + 5 } });
  t.true(RENEWED_MS + STEP_MS < RESERVED_MS);
});

test('while one holds it nobody else may, until it is abandoned', (t) => {
  const held = reserve(provider(), 'me', NOW_MS);
  t.notThrows(() => demandFree(provider(), 'you', NOW_MS));
  t.notThrows(() => demandFree(held, 'me', NOW_MS));
  t.true(isBusy(t.throws(() => demandFree(held, 'you', NOW_MS + RESERVED_MS - 1))));
  t.notThrows(() => demandFree(held, 'you', NOW_MS + RESERVED_MS));
});

test('only what is held can be abandoned', (t) => {
  t.false(isAbandoned(provider(), NOW_MS + RESERVED_MS));
  t.false(isAbandoned(reserve(provider(), 'me', NOW_MS), NOW_MS + RESERVED_MS - 1));
  t.true(isAbandoned(reserve(provider(), 'me', NOW_MS), NOW_MS + RESERVED_MS));
});

test('a reshape that may be recorded is left over but not abandoned: nobody takes it over', (t) => {
  const held = reserve(provider(), 'me', NOW_MS);
  const intent = { ...held, reserved: { ...held.reserved, intent: '{}' } };
  t.true(isLeftOver(intent, NOW_MS + RESERVED_MS));
  t.false(isAbandoned(intent, NOW_MS + RESERVED_MS));
  t.true(isBusy(t.throws(() => demandFree(intent, 'you', NOW_MS + RESERVED_MS))));
  t.is(returned(intent).reserved.intent, '');
  t.is(withdrawn(intent).reserved.intent, '');
});

test('a grant counts only while its holder still has that generation', (t) => {
  const held = reserve(provider(), 'me', NOW_MS);
  t.true(holds(held, { holder: 'me', generations: generation(4) }));
  t.false(holds(held, undefined));
  t.false(holds(held, { holder: 'you', generations: generation(4) }));
  t.false(holds(held, { holder: 'me', generations: generation(3) }));
  t.false(holds(returned(held), { holder: 'me', generations: generation(4) }));
  t.false(holds(withdrawn(held), { holder: 'me', generations: generation(4) }));
});

test('after a certain no the provider is as it was and the number is spent', (t) => {
  const after = returned(reserve(provider(), 'me', NOW_MS));
  t.is(after.generation, 3);
  t.is(after.reserved.holder, '');
  t.is(nextGeneration(after), 5);
});

test('after an unknown answer the provider counts above what may be recorded', (t) => {
  const after = withdrawn(reserve(provider(), 'me', NOW_MS));
  t.is(after.generation, 5);
  t.deepEqual(after.reserved, neverReserved(5));
  t.is(nextGeneration(after), 6);
});

test('a yes that comes after its reservation lifts the provider to it and nothing else', (t) => {
  const free = returned(reserve(provider(), 'me', NOW_MS));
  t.is(overtaken(free, 4)?.generation, 4);
  const other = reserve(free, 'you', NOW_MS);
  const lifted = overtaken(other, 4);
  t.is(lifted?.generation, 4);
  t.deepEqual(lifted?.reserved, other.reserved);
  t.is(overtaken(provider({ generation: 4, reserved: neverReserved(4) }), 4), undefined);
});

test('who is refused is told which provider and when to try again', (t) => {
  const error = busy(provider());
  t.deepEqual(error.metadata, { name: 'partitions/lab/providers/host-1' });
  t.true((error.extras.retryAfterMs ?? 0) > 0);
});
