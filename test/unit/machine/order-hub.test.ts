/**
 * kill -9 of a replica at each step of an order: whoever asks again gets the answer, the agent has
 * done it once, and its right to read the secret ends.
 */
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { BmcAnswerSchema, BmcOrderSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { AgentSession, Down } from '../../../services/machine/agent-port.ts';
import { hardwareRecords } from '../../../services/machine/store/hardware-records.ts';
import { machineMigrations } from '../../../services/machine/store/migrations.ts';
import { createOrderHub, type OrderHub } from '../../../services/machine/work/order-hub.ts';
import { createOutbox } from '../../../services/machine/work/outbox.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql } from '../../../services/store/sql/open.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const STEPS = [
  'before its row is written',
  'before it is sent',
  'before it is answered',
  'before its end is written',
] as const;
type Step = (typeof STEPS)[number];

const AGENT = 'partitions/lab/agents/b1';
const SECRET = 'projects/infra/secrets/bmc';
const RIGHT = { agentKey: AGENT, secretKey: SECRET };
const ACTOR = { principal: 'test', requestId: 'test' };
const ANSWER = create(BmcAnswerSchema, { certificateSha256: 'ab'.repeat(32) });

class Killed extends Error {}

const dying = (at: Step | undefined): typeof hardwareRecords => ({
  ...hardwareRecords,
  openOrders: async (tx, orders) => {
    if (at === 'before its row is written') throw new Killed();
    return hardwareRecords.openOrders(tx, orders);
  },
  closeOrders: async (tx, ids) => {
    if (at !== undefined) throw new Killed();
    await hardwareRecords.closeOrders(tx, ids);
  },
});

const openWorld = async () => {
  const made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir({ inMemory: true }));
  const url = `sqlite:${join(dir.path, 'machine.db')}`;
  const surroundings = { clock: systemClock, random: systemRandom, log: silentLog };
  const schema = { service: 'machine', entities: [], migrations: machineMigrations };
  const store = await openSql({ ...schema, url, ...surroundings });
  made.defer(() => store.close());
  const journal = new Set<string>();
  let done = 0;
  /** The agent does an id once, and says again what came of it. */
  const obey = (id: string): void => {
    if (!journal.has(id)) done += 1;
    journal.add(id);
  };
  const replica = (at?: Step) => {
    const hub: OrderHub = createOrderHub({
      ...{ store, records: { hardware: dying(at) } },
      ...surroundings,
    });
    const push = (message: Down): boolean => {
      if (message.kind !== 'order' || at === 'before it is sent') return true;
      obey(message.commandId);
      if (at === 'before it is answered') return true;
      const { commandId } = message;
      const report = { kind: 'command-result', sequence: 1, commandId, failure: null } as const;
      hub.commandResult({ ...report, answer: ANSWER });
      return true;
    };
    const session = sessionOf(push);
    // What a dead replica waits for would keep this process for as long as its order is valid.
    made.defer(() => hub.sessionEnded(session));
    return { hub, session };
  };
  return {
    store,
    replica,
    done: () => done,
    [Symbol.asyncDispose]: () => made.disposeAsync(),
  };
};

const sessionOf = (push: (message: Down) => boolean): AgentSession => ({
  ...{ agentUid: systemRandom.uid(), name: AGENT, agentKey: AGENT, partition: 'lab', epoch: 1 },
  ...{ storedSequence: 0, lastHeardMs: 0, quietBeats: 0, isSynced: true, isClosed: false },
  ...{ consoles: new Set(), reports: [], onRoom: undefined, failure: undefined },
  outbox: { ...createOutbox<Down>(1), push },
});

const newOrder = () => ({
  commandId: systemRandom.requestId(),
  validForMs: 30_000,
  order: create(BmcOrderSchema, {
    providerUid: systemRandom.uid(),
    controller: { secret: SECRET },
    timeout: { seconds: 10n },
    work: { case: 'readPower', value: {} },
  }),
});

const IDLE = new AbortController().signal;

for (const step of STEPS) {
  test(`an order whose replica dies ${step} is done once and answered`, async (t) => {
    await using world = await openWorld();
    const { store } = world;
    const placed = newOrder();
    const { providerUid } = placed.order;
    const now = () => systemClock.now().getTime();
    const isOpen = () =>
      store.read((reader) => hardwareRecords.isOrdered(reader, { providerUid, nowMs: now() }));
    const mayRead = () =>
      store.read((reader) => hardwareRecords.orderNames(reader, { ...RIGHT, nowMs: now() }));
    const { hub, session } = world.replica(step);
    const first = hub.place(session, placed, IDLE).catch((error: unknown) => error);
    if (step === 'before its row is written') t.true((await first) instanceof Killed);
    else {
      const isAt = async () =>
        (await isOpen()) && (step === 'before it is sent' || world.done() > 0);
      await eventually(isAt, { message: 'the replica died there' });
    }
    const next = world.replica();
    const result = await next.hub.place(next.session, placed, IDLE);
    t.deepEqual(result, { kind: 'done', answer: ANSWER });
    t.is(world.done(), 1);
    await eventually(async () => !(await isOpen()) && !(await mayRead()), {
      message: 'the agent may read no secret for it any more',
    });
  });
}

test('an order that nobody asks for again after a crash is over when its time is', async (t) => {
  await using world = await openWorld();
  const placed = newOrder();
  const { providerUid } = placed.order;
  const { hub, session } = world.replica('before its end is written');
  await hub.place(session, placed, IDLE);
  const nowMs = systemClock.now().getTime();
  const lateMs = nowMs + 60_000;
  await world.store.read(async (reader) => {
    t.true(await hardwareRecords.isOrdered(reader, { providerUid, nowMs }));
    t.false(await hardwareRecords.isOrdered(reader, { providerUid, nowMs: lateMs }));
    t.false(await hardwareRecords.orderNames(reader, { ...RIGHT, nowMs: lateMs }));
  });
  const removed = await world.store.transaction(undefined, ACTOR, (tx) =>
    hardwareRecords.removeOldOrders(tx, lateMs),
  );
  t.is(removed, 1);
});

test('an order for a controller that has another agent by now is not sent', async (t) => {
  await using world = await openWorld();
  const placed = newOrder();
  const lease = { providerUid: placed.order.providerUid, partition: 'lab', epoch: 0 };
  await world.store.transaction(undefined, ACTOR, (tx) =>
    hardwareRecords.giveLease(tx, { ...lease, agentKey: 'partitions/lab/agents/b2' }),
  );
  const { hub, session } = world.replica();
  await t.throwsAsync(hub.place(session, placed, IDLE), { message: /Another agent/ });
  t.is(world.done(), 0);
});
