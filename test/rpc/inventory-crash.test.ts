/** A process that dies between the leader's record and the write in SQL. */
import type { Transport } from '@connectrpc/connect';
import test from 'ava';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { RESERVED_MS } from '../../services/inventory/domain/reservation.ts';
import { eventually } from '../support/eventually.ts';
import {
  addHost,
  CPU,
  claimOne,
  type Hall,
  hearsOfAll,
  newId,
  setClosed,
  startHall,
  uidsOf,
} from './inventory-claimers.ts';

const LAB = 'partitions/lab';

/** A way to the leader on which, when it is told to, what was done is never heard of. */
const deafWay = () => {
  const state = { isDeaf: false, heard: 0 };
  const around = (way: Transport): Transport => ({
    ...way,
    unary: async (method, signal, ...rest) => {
      const answer = await way.unary(method, signal, ...rest);
      if (!state.isDeaf || method.name !== 'Reshape') return answer;
      state.heard += 1;
      return await new Promise<never>((_, fail) => {
        signal?.addEventListener('abort', () => fail(new Error('Gone')));
      });
    },
    stream: (...call) => way.stream(...call),
  });
  return { state, around };
};

const startDeaf = async (t: Parameters<typeof startHall>[0]) => {
  const { state, around } = deafWay();
  const hall = await startHall(t, { atInventory: around });
  /** Calls, and is gone once the leader has recorded it. */
  const die = async (call: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    const gone = new AbortController();
    state.isDeaf = true;
    const ended = call(gone.signal).catch(() => undefined);
    await eventually(() => state.heard > 0, { message: 'the leader records it' });
    state.isDeaf = false;
    t.teardown(async () => {
      gone.abort();
      await ended;
    });
  };
  return { hall, die };
};

const cpusOf = async ({ providers }: Hall, name: string): Promise<number> => {
  const { provider } = await providers.getProvider({ name });
  return Number(provider?.spec?.inventories[0]?.total ?? 0n);
};

test('a shrink that was recorded and never written is withdrawn, and the room is given again', async (t) => {
  const { hall, die } = await startDeaf(t);
  const host = await addHost(hall, 'host', 2);
  await hearsOfAll(hall, [host]);
  await die((signal) =>
    hall.providers.updateProvider(
      { provider: { name: host.name, spec: {} }, updateMask: { paths: ['spec.inventories'] } },
      { signal },
    ),
  );
  t.is(await claimOne(hall, 'early'), undefined, 'what is recorded counts at once');
  t.is(await cpusOf(hall, host.name), 2);
  hall.clock.shift(RESERVED_MS + 1);
  await hall.startInventoryAgain();
  const claim = await eventually(() => claimOne(hall, `late-${newId().slice(0, 8)}`), {
    message: 'the room is given again',
  });
  t.deepEqual(uidsOf(claim), [host.uid]);
});

test('a reshape that was recorded is written by another replica, with its claims moved', async (t) => {
  const { hall, die } = await startDeaf(t);
  const server = await addHost(hall, 'server', 4);
  const spec = { type: ProviderType.DEVICE, parentProvider: server.name };
  const { provider: part } = await hall.providers.createProvider({
    parent: LAB,
    providerId: 'part',
    provider: { spec },
    requestId: newId(),
  });
  if (part === undefined) throw new Error('No provider in the answer');
  await setClosed(hall, part, false);
  await hearsOfAll(hall, [server]);
  const claim = await claimOne(hall, 'before');
  t.deepEqual(claim && uidsOf(claim), [server.uid]);
  const request = {
    parent: LAB,
    providers: [
      { provider: 'server', inventories: [{ resourceType: CPU, total: 1n }] },
      { provider: 'part', inventories: [{ resourceType: CPU, total: 3n }] },
    ],
    moves: [{ fromProvider: 'server', toProvider: 'part', resourceType: CPU }],
    requestId: newId(),
  };
  await die((signal) => hall.providers.reshapeProvider(request, { signal }));
  const held = async () => {
    const { claim: now } = await hall.claims.getClaim({ name: claim?.name ?? '' });
    return now && uidsOf(now);
  };
  t.deepEqual(await held(), [part.uid]);
  t.is(await cpusOf(hall, server.name), 4, 'it is not written yet');
  hall.clock.shift(RESERVED_MS + 1);
  await hall.startInventoryAgain();
  await eventually(async () => (await cpusOf(hall, part.name)) === 3, {
    message: 'the reshape is written',
  });
  t.is(await cpusOf(hall, server.name), 1);
  const more = [];
  for (let at = 0; at < 5; at += 1) more.push(await claimOne(hall, `after-${at}`));
  const uids = more.flatMap((one) => (one === undefined ? [] : uidsOf(one)));
  t.deepEqual(uids.toSorted(), [server.uid, part.uid, part.uid].toSorted());
  t.deepEqual(await held(), [part.uid]);
});
