import test, { type ExecutionContext } from 'ava';
import { DomainError } from '../../../services/runtime/errors.ts';
import { allocationsOf, type ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import type { Command, Move } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import { moveAllocations } from '../../../services/scheduler/domain/move-allocations.ts';
import type { PartitionState } from '../../../services/scheduler/domain/partition-state.ts';
import {
  decodeCapacity,
  encodeCapacity,
} from '../../../services/scheduler/domain/record-format.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  finishRelease,
  granted,
  groupOf,
  MEMORY,
  offersFrom,
  originOf,
  run,
  setCapacity,
  stateWith,
  WHOLE,
} from './builders.ts';

type Limits = Readonly<Record<string, number>>;

const moveOf = (fromUid: string, toUid: string, rest: Partial<Move> = {}): Move => ({
  fromUid,
  toUid,
  resourceType: CPU,
  claimUid: undefined,
  ...rest,
});

const reshape = (
  providers: Readonly<Record<string, Limits>>,
  moves: readonly Move[],
  rest: { readonly generation?: number; readonly requestId?: string } = {},
): Command => ({
  verb: 'reshape',
  origin: originOf(rest.requestId ?? '', { caller: 'services' }),
  providers: Object.entries(providers).map(([providerUid, offers]) => ({
    providerUid,
    generation: rest.generation ?? 2,
    offers: offersFrom(offers),
  })),
  moves,
});

const refuses = (
  t: ExecutionContext,
  state: PartitionState,
  command: Command,
  reason: string,
): DomainError => {
  const error = t.throws(() => decide(state, command, { nowMs: 0, logNumber: 1 }), {
    instanceOf: DomainError,
  });
  if (error === undefined) throw new Error('It was not refused');
  t.is(error.reason, reason, error.message);
  return error;
};

const allocated = (claim: ClaimRecord | undefined) =>
  (claim === undefined ? [] : allocationsOf(claim)).map(
    ({ index, providerUid, resourceType, amount }) =>
      `${index} ${providerUid} ${resourceType} ${amount}`,
  );

const HOST = { uid: 'host', offers: { [CPU]: 8, [MEMORY]: 8 } };
const DEVICE = { uid: 'device', offers: { [MEMORY]: 1 } };
const both = [groupOf({ [CPU]: 2, [MEMORY]: 1 })];
const found = (state: PartitionState, id: string) => state.claims.findByName('red', id);

test('allocations move with what is offered, and the rest stays', (t) => {
  const state = stateWith([HOST, DEVICE]);
  granted(state, createCommand({ id: 'a', groups: both, count: 2 }));
  granted(state, createCommand({ id: 'b', groups: [groupOf({ [CPU]: 1 })] }));
  granted(state, createCommand({ id: 'c', groups: [groupOf({ [MEMORY]: 1 })] }));
  const decision = run(
    state,
    reshape({ host: { [MEMORY]: 8 }, device: { [CPU]: 8 } }, [moveOf('host', 'device')]),
  );
  t.is(decision.kind === 'reshape' && decision.claims.length, 2);
  t.deepEqual(allocated(found(state, 'a')), [
    `0 host ${MEMORY} 1`,
    `0 device ${CPU} 2`,
    `1 host ${MEMORY} 1`,
    `1 device ${CPU} 2`,
  ]);
  t.deepEqual(allocated(found(state, 'b')), [`0 device ${CPU} 1`]);
  t.deepEqual(
    found(state, 'b')?.providers.map(({ uid }) => uid),
    ['device'],
  );
  t.is(found(state, 'c')?.version, 1, 'what has nothing of it is not touched');
  const holds = [...state.providers.holdsOn('device')].map((hold) => hold.amounts.get(CPU)).sort();
  t.deepEqual(holds, [1, 4]);
  run(state, beginRelease('b'));
  run(state, finishRelease('b', 'device'));
  t.deepEqual(
    state.quotas.uses('red', 0).map(({ used }) => used),
    [4, 3],
  );
});

test('a reshape that would leave less than is used changes nothing', (t) => {
  const state = stateWith([HOST, DEVICE]);
  granted(state, createCommand({ id: 'a', groups: both }));
  const moves = [moveOf('host', 'device')];
  refuses(t, state, reshape({ host: { [MEMORY]: 8 }, device: { [CPU]: 1 } }, moves), 'IN_USE');
  refuses(t, state, reshape({ host: { [MEMORY]: 8 }, device: { [CPU]: 8 } }, []), 'IN_USE');
  refuses(t, state, reshape({ host: { [CPU]: 8 }, device: { [CPU]: 8 } }, moves), 'IN_USE');
  refuses(t, state, reshape({ host: HOST.offers }, moves), 'IN_USE');
  t.deepEqual(allocated(found(state, 'a')), [`0 host ${CPU} 2`, `0 host ${MEMORY} 1`]);
});

test('a reshape says what is wrong with it', (t) => {
  const state = stateWith([HOST, DEVICE]);
  const { uid } = granted(state, createCommand({ id: 'a', groups: both }));
  const shape = { host: HOST.offers, device: { [CPU]: 8 } };
  const nothing = [moveOf('device', 'host')];
  refuses(t, state, reshape(shape, nothing), 'NOT_FOUND');
  refuses(t, state, reshape(shape, [moveOf('host', 'device', { claimUid: 'x' })]), 'NOT_FOUND');
  const twice = [moveOf('host', 'device'), moveOf('host', 'device', { claimUid: uid })];
  refuses(t, state, reshape(shape, twice), 'NOT_FOUND');
  refuses(t, state, reshape(shape, [moveOf('host', 'host')]), 'INVALID_FIELD');
  refuses(t, state, reshape(shape, [], { generation: 0 }), 'ETAG_MISMATCH');
});

test('allocations do not move onto a machine that somebody has whole', (t) => {
  const metal = { uid: 'metal', offers: { [CPU]: 8, [WHOLE]: 1 } };
  const state = stateWith([HOST, metal]);
  granted(state, createCommand({ id: 'w', groups: [groupOf({ [WHOLE]: 1 })] }));
  granted(
    state,
    createCommand({ id: 'a', groups: [groupOf({ [CPU]: 1 }, { providers: ['host'] })] }),
  );
  const shape = { host: HOST.offers, metal: metal.offers };
  refuses(t, state, reshape(shape, [moveOf('host', 'metal')]), 'IN_USE');
});

test('the same reshape is done once, by its generation and by its request', (t) => {
  const state = stateWith([HOST, DEVICE]);
  granted(state, createCommand({ id: 'a', groups: both }));
  const shape = { host: { [MEMORY]: 8 }, device: { [CPU]: 8 } };
  const moves = [moveOf('host', 'device')];
  run(state, reshape(shape, moves, { requestId: 'r1' }));
  const again = run(state, reshape(shape, moves, { requestId: 'r1' }));
  t.is(again.kind === 'reshape' && again.moved, 1);
  t.deepEqual(again.kind === 'reshape' && again.entries, []);
  const other = run(state, reshape(shape, moves, { requestId: 'r2' }));
  t.deepEqual(other.kind === 'reshape' && other.entries, []);
  t.is(other.kind === 'reshape' && other.moved, 0);
  t.is(found(state, 'a')?.version, 2);
});

test('what was given of a range moves as it was given', (t) => {
  const state = stateWith([HOST]);
  const claim = granted(state, createCommand({ id: 'a', groups: both }));
  const given = { ...claim, placements: [{ group: 0, index: 0, provider: 0, amounts: [7, 3] }] };
  const moved = moveAllocations(
    given,
    moveOf('host', 'device', { resourceType: MEMORY }),
    'Device',
  );
  t.deepEqual(allocated(moved), [`0 host ${CPU} 7`, `0 device ${MEMORY} 3`]);
  t.is(moveAllocations(given, moveOf('device', 'host'), 'Host'), undefined);
  const back =
    moved && moveAllocations(moved, moveOf('device', 'host', { resourceType: MEMORY }), '');
  t.deepEqual(allocated(back), [`0 host ${CPU} 7`, `0 host ${MEMORY} 3`]);
  t.deepEqual(
    back?.providers.map(({ uid }) => uid),
    ['host'],
  );
});

test('what a claim gets by a reshape counts from the decision, also when it is half given back', (t) => {
  const spare = { uid: 'spare', offers: { [CPU]: 2 } };
  const state = stateWith([HOST, { uid: 'other', offers: { [CPU]: 2 } }, spare]);
  const on = (uid: string) => groupOf({ [CPU]: 2 }, { name: uid, providers: [uid] });
  granted(state, createCommand({ id: 'a', groups: [on('host'), on('other')] }));
  run(state, beginRelease('a'));
  run(state, finishRelease('a', 'other'));
  const moment = { nowMs: 0, logNumber: 1 };
  const moving = decide(state, reshape({ host: HOST.offers }, [moveOf('host', 'spare')]), {
    ...moment,
    logNumber: 2,
  });
  state.take(moving, 0);
  const wanted = createCommand({ id: 'b', groups: [on('spare')] });
  refuses(t, state, wanted, 'NO_CAPACITY');
  const left = createCommand({ id: 'c', groups: [groupOf({ [CPU]: 8 }, { providers: ['host'] })] });
  refuses(t, state, left, 'NO_CAPACITY');
  state.settle(moving, 0);
  refuses(t, state, wanted, 'NO_CAPACITY');
  granted(state, left);
});

test('two claims that move into one tree do not share what one of them takes whole', (t) => {
  const offers = { [CPU]: 8, [WHOLE]: 1 };
  const state = stateWith([
    { uid: 'metal', offers },
    { uid: 'part', offers: { [CPU]: 8 }, parentUid: 'metal' },
    { uid: 'spare', offers },
    HOST,
  ]);
  const on = (uid: string, amounts: Limits) => [groupOf(amounts, { providers: [uid] })];
  granted(state, createCommand({ id: 'w', groups: on('spare', { [WHOLE]: 1 }) }));
  granted(state, createCommand({ id: 'a', groups: on('host', { [CPU]: 1 }) }));
  const moves = [moveOf('spare', 'metal', { resourceType: WHOLE }), moveOf('host', 'part')];
  refuses(t, state, reshape({ spare: offers, host: HOST.offers }, moves), 'IN_USE');
});

test('a move to a part of what is held whole names the whole, and one to the whole its part', (t) => {
  const offers = { [CPU]: 8, [WHOLE]: 1 };
  const part = { uid: 'part', offers: { [CPU]: 8 }, parentUid: 'metal' };
  const on = (uid: string, amounts: Limits) => [groupOf(amounts, { providers: [uid] })];
  const wholes = stateWith([{ uid: 'metal', offers }, part, HOST]);
  granted(wholes, createCommand({ id: 'w', groups: on('metal', { [WHOLE]: 1 }) }));
  granted(wholes, createCommand({ id: 'a', groups: on('host', { [CPU]: 1 }) }));
  const toPart = reshape({ host: HOST.offers }, [moveOf('host', 'part')]);
  const atPart = refuses(t, wholes, toPart, 'IN_USE');
  t.is(
    atPart.message,
    'One claim would hold provider "partitions/lab/providers/metal" whole while another holds ' +
      'its part "partitions/lab/providers/part"',
  );
  t.is(atPart.metadata.providerUid, 'metal');
  const parts = stateWith([{ uid: 'metal', offers }, part, { uid: 'spare', offers }]);
  granted(parts, createCommand({ id: 'w', groups: on('spare', { [WHOLE]: 1 }) }));
  granted(parts, createCommand({ id: 'a', groups: on('part', { [CPU]: 1 }) }));
  const moves = [moveOf('spare', 'metal', { resourceType: WHOLE })];
  const atWhole = refuses(t, parts, reshape({ spare: offers }, moves), 'IN_USE');
  t.is(atWhole.message, atPart.message);
});

test('a repeat says how many claims were moved, whatever was asked of them since', (t) => {
  const state = stateWith([HOST, DEVICE]);
  const { uid } = granted(state, createCommand({ id: 'a', groups: both }));
  const shape = { host: { [MEMORY]: 8 }, device: { [CPU]: 8 } };
  const command = reshape(shape, [moveOf('host', 'device')], { requestId: 'r1' });
  run(state, command);
  run(state, setCapacity('host', { [MEMORY]: 8 }, { generation: 2, closed: true }));
  for (let at = 0; at < 9; at += 1) {
    const consumer = { type: 'machine', uid: `m${at}`, name: `m${at}` };
    const rest = { ref: { project: 'red', claim: uid }, precondition: () => undefined };
    const origin = originOf(`later-${at}`);
    run(state, { verb: 'transfer', consumer, fromUid: undefined, origin, ...rest });
  }
  const { requests = [] } = found(state, 'a') ?? {};
  t.false(requests.some(({ requestId }) => requestId === 'r1'));
  const capacities = ['host', 'device'].flatMap((one) => state.capacity(one) ?? []);
  const next = stateWith([], {
    claims: [...state.claims.all()],
    capacities: capacities.map((record) => decodeCapacity(encodeCapacity(record))),
  });
  for (const leader of [state, next]) {
    const again = run(leader, command);
    t.is(again.kind === 'reshape' && again.moved, 1);
  }
});
