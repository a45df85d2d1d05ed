import test from 'ava';
import type { Machine } from '../../../services/machine/domain/machine.ts';
import { begin, newOperation } from '../../../services/machine/domain/operation.ts';
import { createMachineWriter } from '../../../services/machine/store/machine-writer.ts';
import { createJournal } from '../../../services/machine/work/operation-journal.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openWorld, type World } from './crash-world.ts';
import { machine as newMachine } from './fixtures.ts';

const ACTOR = { principal: 'users/ann', requestId: 'test' };
const MINE = 'replica-1';

const accepted = async ({ store, records }: World, machineId: string) => {
  const [uid, operationUid] = [systemRandom.uid(), systemRandom.uid()];
  const machine = newMachine({ uid, machineId, operationUid });
  const { partition, project } = machine;
  const caller = { principal: 'users/ann', onBehalfOf: '' };
  const whose = { partition, project, verb: 'create', target: machineId, targetUid: uid } as const;
  const operation = newOperation({ uid: operationUid, ...whose, caller }, 0);
  await store.transaction(undefined, ACTOR, async (tx) => {
    await records.machines.insert(tx, machine);
    await records.operations.insert(tx, operation);
  });
  return { machine, operation };
};

type Accepted = Awaited<ReturnType<typeof accepted>>;

const entryOf = ({ machine, operation }: Accepted, epoch: number) => ({
  uid: operation.uid,
  operation: begin(operation, 'claim', 1),
  grip: { owner: MINE, epoch, nowMs: 1, untilMs: 1_000, wakeMs: 0 },
  change: {
    machine: { ...machine, version: machine.version + 1, tags: ['written'] } satisfies Machine,
    ...{ events: [], assignment: null, principal: '', operation: '' },
  },
});

test('of what is written together each counts for itself', async (t) => {
  const world = await openWorld();
  const { store, records } = world;
  const writer = createMachineWriter({
    ...{ records, clock: world.clock, random: systemRandom, incarnation: store.incarnation },
  });
  const journal = createJournal({ store, records, writer });
  const all = [];
  for (const name of ['calm', 'changed', 'taken']) all.push(await accepted(world, name));
  const [calm, changed, taken] = all;
  if (calm === undefined || changed === undefined || taken === undefined) throw new Error('none');
  await store.transaction(undefined, ACTOR, async (tx) => {
    await records.machines.lock(tx, changed.machine.uid);
    const theirs = { owner: 'replica-2', epoch: 0, nowMs: 1, untilMs: 1_000, wakeMs: 0 };
    t.true(await records.operations.hold(tx, taken.operation.uid, theirs));
  });
  // The row was read before the other replica took it, and once after.
  for (const epoch of [0, 1]) {
    const entries = [entryOf(calm, epoch), entryOf(changed, 0), entryOf(taken, epoch)];
    const isAgain = epoch === 1;
    const outcomes = await Promise.all(entries.map((entry) => journal.write(entry)));
    t.deepEqual(outcomes, [isAgain ? 'outdated' : 'written', 'outdated', 'taken']);
  }
  const uids = all.map(({ machine }) => machine.uid);
  const rows = await store.read((reader) => records.machines.findMany(reader, uids));
  const tagsOf = (uid: string) => rows.find((row) => row.uid === uid)?.tags;
  t.deepEqual(uids.map(tagsOf), [['written'], [], []]);
  const seen = await journal.look(calm.operation.uid);
  t.like(seen, { owner: MINE, epoch: 1, leaseUntilMs: 1_000 });
  t.is(seen?.operation.steps[0]?.state, 'running');
  await store.close();
});
