/** A tenant's day over the real contract, on whichever database. */
import type { ExecutionContext } from 'ava';
import { MachineState, PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  AGENT,
  clientsOf,
  connectAgent,
  createMachine,
  ended,
  PROJECT,
  startSite,
  uuid,
} from './machine-fixture.ts';
import { PROVIDER } from './machine-neighbours.ts';

const NAME = `${PROJECT}/machines/web-1`;

export type DaySubject = {
  /** AVA's `test` or `test.serial`. */
  readonly test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
  /** An empty database; absent = SQLite. */
  readonly createUrl?: () => Promise<string>;
};

type Options = Parameters<typeof startSite>[0];

const prepare = async ({ createUrl }: DaySubject, options: Options = {}) => {
  const url = await createUrl?.();
  const site = await startSite({ ...options, ...(url !== undefined && { url }) });
  const [replica] = site.replicas;
  if (replica === undefined) throw new Error('no replica');
  const agent = await connectAgent(site);
  return { site, replica, agent, red: clientsOf(replica.asPerson('red')) };
};

export const machineDaySuite = (subject: DaySubject): void => {
  const { test } = subject;
  const setUp = (options?: Options) => prepare(subject, options);

  test('a machine is created, stopped, started, reset, paused and deleted', async (t) => {
    const { site, agent, red } = await setUp();
    await using _ = site;
    const { machine, operation } = await createMachine(red, 'web-1');
    t.is(machine.status?.state, MachineState.ACTIVE);
    t.is(machine.status?.provider, PROVIDER);
    t.is(machine.status?.operation, '');
    t.is(operation.result.case, 'response');
    t.deepEqual(
      operation.metadata?.steps.map((step) => step.name),
      ['claim', 'assign', 'boot', 'ready'],
    );
    t.deepEqual(site.neighbours.claimers, ['users/red']);
    const firstBoot = machine.status?.boot?.bootId;

    const state = async () => {
      const found = await red.machines.getMachine({ name: NAME });
      return found.machine?.status;
    };
    const stop = await red.machines.stopMachine({ name: NAME, requestId: uuid() });
    t.is(stop.machine?.status?.state, MachineState.STOPPING);
    await ended(red, stop.operation?.name);
    t.like(await state(), { state: MachineState.STOPPED, power: PowerState.OFF });

    const again = await red.machines.stopMachine({ name: NAME, requestId: uuid() });
    t.is(again.operation, undefined);

    const start = await red.machines.startMachine({ name: NAME, requestId: uuid() });
    await ended(red, start.operation?.name);
    const started = await state();
    t.is(started?.state, MachineState.ACTIVE);
    t.not(started?.boot?.bootId, firstBoot);

    const reset = await red.machines.resetMachine({ name: NAME, requestId: uuid() });
    await ended(red, reset.operation?.name);
    t.like((await state())?.boot, { bootCount: 3n });

    const pause = await red.machines.pauseMachine({ name: NAME, requestId: uuid() });
    await ended(red, pause.operation?.name);
    t.is((await state())?.state, MachineState.PAUSED);
    const resume = await red.machines.resumeMachine({ name: NAME, requestId: uuid() });
    await ended(red, resume.operation?.name);
    t.is((await state())?.state, MachineState.ACTIVE);

    const removal = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    t.is(removal.machine?.status?.state, MachineState.RELEASING);
    const removed = await ended(red, removal.operation?.name);
    t.is(removed.result.case, 'response');
    await refused(t, red.machines.getMachine({ name: NAME }), {
      kind: 'not_found',
      reason: 'NOT_FOUND',
    });
    const byUid = await red.machines.getMachine({ name: `${PROJECT}/machines/${machine.uid}` });
    t.is(byUid.machine?.status?.state, MachineState.GONE);
    t.is(agent.guests.get(machine.uid)?.power, PowerState.OFF);
    const [claim] = site.neighbours.claims.values();
    t.true(claim?.status?.allocations.every((one) => one.finishTime !== undefined));
    // The name is free at once.
    const second = await createMachine(red, 'web-1');
    t.not(second.machine.uid, machine.uid);
  });

  test('the timeline tells the day in order and only to those who may read it', async (t) => {
    const { site, replica, red } = await setUp();
    await using _ = site;
    const { machine } = await createMachine(red, 'web-1');
    const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    await ended(red, operation?.name);
    const { events } = await red.events.listEvents({ parent: PROJECT, targetUid: machine.uid });
    t.deepEqual(
      events.map((event) => event.type),
      [
        'machine.requested',
        'machine.claimed',
        'machine.assigned',
        'machine.powered_on',
        'machine.kernel_started',
        'machine.phoned_home',
        'machine.active',
        'machine.releasing',
        'machine.released',
        'machine.deleted',
      ],
    );
    t.true(events.every((event) => event.message.length > 5));
    const all = { parent: 'partitions/-/projects/-' };
    const blue = clientsOf(replica.asPerson('blue'));
    t.deepEqual((await blue.events.listEvents(all)).events, []);
    const admin = clientsOf(replica.asPerson('admin'));
    const seen = (await admin.events.listEvents(all)).events;
    t.true(seen.some((event) => event.type === 'agent.up' && event.target === AGENT));
    const newest = await red.events.listEvents({ parent: PROJECT, newestFirst: true, pageSize: 2 });
    t.deepEqual(
      newest.events.map((event) => event.type),
      ['machine.deleted', 'machine.released'],
    );
    const { nextPageToken: pageToken } = newest;
    const next = { parent: PROJECT, newestFirst: true, pageSize: 2, pageToken };
    t.is((await red.events.listEvents(next)).events[0]?.type, 'machine.releasing');
  });

  test('without capacity the machine says so, and start tries again', async (t) => {
    const { site, red } = await setUp();
    await using _ = site;
    site.neighbours.refuse(site.neighbours.noCapacity());
    const { machine, operation } = await createMachine(red, 'web-1');
    t.is(machine.status?.state, MachineState.PREPARE_FAILED);
    t.is(machine.status?.problem?.reason, 'NO_CAPACITY');
    t.is(operation.result.case, 'error');
    if (operation.result.case === 'error') {
      t.is(operation.result.value.code, 8);
      const types = operation.result.value.details.map((detail) =>
        detail.typeUrl.split('.').at(-1),
      );
      t.true(types.includes('NoCapacity'));
    }
    site.neighbours.refuse(undefined);
    const start = await red.machines.startMachine({ name: NAME, requestId: uuid() });
    const done = await ended(red, start.operation?.name);
    t.is(done.result.case, 'response');
    t.is(site.neighbours.claims.size, 1);
  });

  test('a boot that is late fails, and a guest that is ready after all is active', async (t) => {
    const { site, agent, red } = await setUp();
    await using _ = site;
    agent.behaviour.boots = false;
    const bootTimeout = { seconds: 0n, nanos: 300_000_000 };
    const { machine, operation } = await createMachine(red, 'web-1', { bootTimeout });
    t.is(machine.status?.state, MachineState.BOOT_FAILED);
    t.is(machine.status?.problem?.reason, 'NOT_READY_IN_TIME');
    t.is(operation.result.case, 'error');
    agent.behaviour.boots = true;
    const reset = await red.machines.resetMachine({ name: NAME, requestId: uuid() });
    await ended(red, reset.operation?.name);
    // On a busy machine this boot may be late too; ready after all it is active.
    await eventually(async () => {
      const found = await red.machines.getMachine({ name: NAME });
      return found.machine?.status?.state === MachineState.ACTIVE;
    });
    t.pass();
  });

  test('a guest that powers itself off is stopped and stays so', async (t) => {
    const { site, agent, red } = await setUp();
    await using _ = site;
    const { machine } = await createMachine(red, 'web-1');
    agent.powerOffByGuest(machine.uid);
    const stopped = await eventually(async () => {
      const found = await red.machines.getMachine({ name: NAME });
      return found.machine?.status?.state === MachineState.STOPPED ? found.machine : undefined;
    });
    t.is(stopped.status?.wantedPower, PowerState.OFF);
    t.is(agent.guests.get(machine.uid)?.bootCount, 1);
  });

  test('shutdown never forces: it fails with the guest running and wanted on', async (t) => {
    const limits = {
      shutdownMs: 200,
      powerMs: 60_000,
      destroyMs: 60_000,
      problemMs: 100,
      retryMs: 50,
      retryMsMax: 500,
    };
    const { site, agent, red } = await setUp({ config: { limits } });
    await using _ = site;
    await createMachine(red, 'web-1');
    agent.behaviour.obeys = false;
    const { operation } = await red.machines.shutdownMachine({ name: NAME, requestId: uuid() });
    const done = await ended(red, operation?.name);
    t.is(done.result.case, 'error');
    const { machine } = await red.machines.getMachine({ name: NAME });
    t.like(machine?.status, { state: MachineState.ACTIVE, wantedPower: PowerState.ON });
    const stop = await red.machines.stopMachine({
      name: NAME,
      requestId: uuid(),
      forceAfter: { seconds: 0n, nanos: 0 },
    });
    t.is((await ended(red, stop.operation?.name)).result.case, 'response');
  });

  test('a busy machine refuses, stop takes over, and delete takes over everything', async (t) => {
    const { site, agent, red } = await setUp();
    await using _ = site;
    agent.behaviour.boots = false;
    const { operation } = await red.machines.createMachine({
      parent: PROJECT,
      machineId: 'web-1',
      machine: { spec: {} },
      requestId: uuid(),
    });
    await eventually(async () => {
      const { machine } = await red.machines.getMachine({ name: NAME });
      return machine?.status?.state === MachineState.BOOTING;
    });
    const busy = await refused(t, red.machines.pauseMachine({ name: NAME, requestId: uuid() }), {
      kind: 'aborted',
      reason: 'BUSY',
    });
    t.is(busy.metadata.operation, operation?.name);
    const stop = await red.machines.stopMachine({ name: NAME, requestId: uuid() });
    t.is((await ended(red, operation?.name)).result.case, 'error');
    await ended(red, stop.operation?.name);
    const start = await red.machines.startMachine({ name: NAME, requestId: uuid() });
    const removal = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    const second = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    t.is(second.operation?.name, removal.operation?.name);
    t.is((await ended(red, start.operation?.name)).result.case, 'error');
    t.is((await ended(red, removal.operation?.name)).result.case, 'response');
  });

  test('cancelling a boot powers the guest off and leaves the machine startable', async (t) => {
    const { site, agent, red } = await setUp();
    await using _ = site;
    agent.behaviour.boots = false;
    const { operation } = await red.machines.createMachine({
      parent: PROJECT,
      machineId: 'web-1',
      machine: { spec: {} },
      requestId: uuid(),
    });
    await eventually(async () => {
      const { machine } = await red.machines.getMachine({ name: NAME });
      return machine?.status?.state === MachineState.BOOTING;
    });
    await red.operations.cancelOperation({ name: operation?.name ?? '', requestId: uuid() });
    const done = await ended(red, operation?.name);
    t.is(done.result.case === 'error' ? done.result.value.code : 0, 1);
    await eventually(async () => {
      const { machine } = await red.machines.getMachine({ name: NAME });
      return machine?.status?.state === MachineState.STOPPED;
    });
    agent.behaviour.boots = true;
    const start = await red.machines.startMachine({ name: NAME, requestId: uuid() });
    t.is((await ended(red, start.operation?.name)).result.case, 'response');
  });
};
