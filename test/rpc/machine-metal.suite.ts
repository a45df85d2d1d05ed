/** The life of servers and of machines on them: inspected, claimed, used, given back, cleaned. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { BootDeviceType, PowerChange } from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import {
  MachineState,
  MachineType,
  PowerState,
} from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import type { MachineTables } from '../../services/machine/store/tables.ts';
import { NO_CLEANING } from '../../services/machine/work/cleaning-hook.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import {
  BMC_ADDRESS,
  type MetalSite,
  newServer,
  SECRET,
  startMetalSite as startSiteOf,
} from './machine-metal-fixture.ts';
import { openStore } from './machine-sink-fixture.ts';

const R1 = 'partitions/lab/providers/r1u1';
const STATE = `${R1}/state`;
const BENCH = `${PROJECT}/machines/bench-1`;
const METAL = { type: MachineType.BARE_METAL };

const stateOf = async (metal: MetalSite, name = STATE) =>
  (await metal.as('operator').providerStates.getProviderState({ name })).providerState;

const until = (metal: MetalSite, state: Life, name = STATE) =>
  eventually(async () => (await stateOf(metal, name))?.state === state, {
    message: `${name} gets to state ${state}`,
  });

const create = (metal: MetalSite, spec: object = METAL, machineId = 'bench-1') =>
  metal.as('red').machines.createMachine({
    parent: PROJECT,
    machineId,
    machine: { spec },
    requestId: uuid(),
  });

const created = async (metal: MetalSite) => {
  const { operation } = await create(metal);
  const done = await ended(metal.as('red'), operation?.name);
  const { machine } = await metal.as('red').machines.getMachine({ name: BENCH });
  if (machine === undefined) throw new Error('no machine');
  return { done, machine };
};

const command = (script: string) => ({
  cleaning: { ...NO_CLEANING, command: ['/bin/sh', '-c', script], timeoutMs: 20_000 },
});

export type MetalSubject = {
  /** AVA's `test` or `test.serial`. */
  readonly test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
  /** An empty database; absent = SQLite. */
  readonly createUrl?: () => Promise<string>;
};

export const machineMetalSuite = ({ test, createUrl }: MetalSubject): void => {
  const startMetalSite = async (options: Parameters<typeof startSiteOf>[0] = {}) => {
    const url = await createUrl?.();
    return startSiteOf({ ...options, ...(url !== undefined && { url }) });
  };

  test('a new server is inspected by itself and then open', async (t) => {
    await using metal = await startMetalSite({ servers: 3 });
    await until(metal, Life.INSPECTING);
    t.truthy((await stateOf(metal))?.deadline);
    await metal.connect(0);
    for (const { name } of metal.providers) await until(metal, Life.AVAILABLE, `${name}/state`);
    t.is(metal.closed(0), false);
    const { recorded } = metal.site.neighbours;
    t.is(recorded.length, 3);
    t.is(recorded[0]?.facts?.vendor, 'Lab');
    t.is(recorded[0]?.certificateSha256, 'ab'.repeat(32));
  });

  test('what another server says of itself keeps a server out, until an operator adopts it', async (t) => {
    await using metal = await startMetalSite();
    const conflict = {
      field: 'serial_number',
      value: 'S-1',
      provider: 'partitions/lab/providers/x',
    };
    metal.site.neighbours.conflicts.push(conflict);
    await metal.connect(0);
    await until(metal, Life.INSPECT_FAILED);
    const failed = await stateOf(metal);
    t.is(failed?.problem?.reason, 'INSPECTION_FAILED');
    t.regex(failed?.problem?.message ?? '', /serial_number S-1/);
    t.is(failed?.problem?.retryTime, undefined, 'waiting mends nothing');
    t.not(metal.closed(0), false);
    const { providerStates: states } = metal.as('operator');
    const { providerState } = await states.adoptProvider({
      name: STATE,
      reason: 'the other one is scrap',
      requestId: uuid(),
    });
    t.is(providerState?.state, Life.AVAILABLE);
    t.is(metal.closed(0), false);
  });

  test('wrong credentials end an inspection at once, and an operator has it done again', async (t) => {
    await using metal = await startMetalSite();
    metal.controllers.fault = {
      succeeded: false,
      reason: 'BMC_UNAUTHORIZED',
      message: 'wrong password',
    };
    const agent = await metal.connect(0);
    await until(metal, Life.INSPECT_FAILED);
    t.is(agent.orders.length, 1, 'no account is locked by tries');
    metal.controllers.fault = undefined;
    const { providerStates: states } = metal.as('operator');
    const asked = await states.inspectProvider({ name: STATE, requestId: uuid() });
    t.is(asked.providerState?.state, Life.INSPECTING);
    await until(metal, Life.AVAILABLE);
  });

  test('an inspection that nobody works on any more is begun anew', async (t) => {
    await using metal = await startMetalSite();
    await until(metal, Life.INSPECTING);
    const store = await openStore(metal.site);
    const uid = metal.providers[0]?.uid ?? '';
    // As a row that was written over by one who had seen an older one.
    await store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
      const db = tx.kysely<MachineTables>();
      await db.deleteFrom('hardware_task').where('provider_uid', '=', uid).execute();
      const doc = JSON.stringify({ sinceMs: 1 });
      await db.updateTable('provider_state').set({ doc }).execute();
    });
    await store.close();
    await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    t.is(metal.closed(0), false);
  });

  test('a machine on metal is created, used, and its server cleaned before it is free', async (t) => {
    using dir = temporaryDir();
    await using metal = await startMetalSite({
      config: command(`cat > ${dir.path}/order.json`),
    });
    const agent = await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    const red = metal.as('red');
    const { done, machine } = await created(metal);
    t.not(done.result.case, 'error');
    t.like(machine.status, {
      state: MachineState.ACTIVE,
      type: MachineType.BARE_METAL,
      provider: R1,
    });
    t.is((await stateOf(metal))?.state, Life.IN_USE);
    const server = agent.servers.get(machine.uid);
    t.like(server, { provider: R1, access: true, bootGeneration: 1n });
    t.is(server?.controller?.secret, SECRET);
    const pause = red.machines.pauseMachine({ name: BENCH, requestId: uuid() });
    await refused(t, pause, { kind: 'failed_precondition', reason: 'INVALID_STATE' });
    const bootDevice = { type: BootDeviceType.NETWORK };
    const set = await red.machines.setMachineBootDevice({
      name: BENCH,
      bootDevice,
      requestId: uuid(),
    });
    t.like(set.machine?.status?.bootDevice, bootDevice);
    await eventually(() => agent.servers.get(machine.uid)?.bootDevice !== undefined);
    const { operation: resetting } = await red.machines.resetMachine({
      name: BENCH,
      requestId: uuid(),
    });
    t.not((await ended(red, resetting?.name)).result.case, 'error');
    t.is(agent.servers.get(machine.uid)?.bootedGeneration, 1n);
    const held = metal.as('operator').hardware.changeProviderPower({
      name: R1,
      change: PowerChange.OFF,
      requestId: uuid(),
    });
    await refused(t, held, { kind: 'failed_precondition', reason: 'HELD_BY_TENANT' });
    const { operation } = await red.machines.deleteMachine({ name: BENCH, requestId: uuid() });
    const deleted = await ended(red, operation?.name);
    t.not(deleted.result.case, 'error');
    t.deepEqual(
      deleted.metadata?.steps.map(({ name }) => name),
      ['revoke', 'power-off', 'detach', 'destroy', 'release'],
    );
    await until(metal, Life.AVAILABLE);
    const order = JSON.parse(readFileSync(join(dir.path, 'order.json'), 'utf8'));
    t.is(order.claim.name, machine.status?.claim);
    t.is(order.provider.name, R1);
    t.is(metal.controllers.powers.get(metal.providers[0]?.uid ?? ''), PowerState.OFF);
    t.deepEqual(metal.site.neighbours.finishes.length, 1);
    const again = await created(metal);
    t.is(again.machine.status?.provider, R1);
  });

  test('a cleaning that fails keeps the server out until it was cleaned', async (t) => {
    using dir = temporaryDir();
    await using metal = await startMetalSite({
      config: command(`test -e ${dir.path}/works || { echo no network >&2; exit 3; }`),
    });
    await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    await created(metal);
    const red = metal.as('red');
    const { operation } = await red.machines.deleteMachine({ name: BENCH, requestId: uuid() });
    await ended(red, operation?.name);
    await until(metal, Life.CLEAN_FAILED);
    const failed = await stateOf(metal);
    t.regex(failed?.problem?.message ?? '', /ended with 3; it said: no network/);
    const second = await create(metal, METAL, 'bench-2');
    const no = await ended(red, second.operation?.name);
    t.regex(no.result.case === 'error' ? no.result.value.message : '', /No server is free/);
    const { providerStates: states } = metal.as('operator');
    await states.cleanProvider({ name: STATE, requestId: uuid() });
    await until(metal, Life.CLEAN_FAILED);
    t.is(metal.site.neighbours.finishes.length, 0);
    writeFileSync(join(dir.path, 'works'), '');
    await states.cleanProvider({ name: STATE, requestId: uuid() });
    await until(metal, Life.AVAILABLE);
    t.is(metal.site.neighbours.finishes.length, 1);
  });

  test('without a hook the server is switched off and an operator says that it is clean', async (t) => {
    await using metal = await startMetalSite();
    await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    await created(metal);
    const red = metal.as('red');
    const { operation } = await red.machines.deleteMachine({ name: BENCH, requestId: uuid() });
    await ended(red, operation?.name);
    await until(metal, Life.CLEANING);
    t.is(metal.controllers.powers.get(metal.providers[0]?.uid ?? ''), PowerState.OFF);
    const { providerStates: states } = metal.as('operator');
    const clean = states.cleanProvider({ name: STATE, requestId: uuid() });
    await refused(t, clean, { kind: 'failed_precondition', reason: 'INVALID_STATE' });
    await states.returnProvider({ name: STATE, requestId: uuid() });
    t.is((await stateOf(metal))?.state, Life.AVAILABLE);
  });

  test('a server is given back only when nothing of its cleaning runs any more', async (t) => {
    using dir = temporaryDir();
    const [running, held] = [join(dir.path, 'running'), join(dir.path, 'held')];
    writeFileSync(held, '');
    // It cannot end before the quarantine was answered, however long that takes.
    const onTerm = `while test -e ${held}; do sleep 0.1; done; sleep 0.5; rm ${running}; exit 1`;
    const script = `trap '${onTerm}' TERM; touch ${running}; sleep 60 & wait`;
    await using metal = await startMetalSite({ config: command(script) });
    await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    await created(metal);
    const red = metal.as('red');
    const { operation } = await red.machines.deleteMachine({ name: BENCH, requestId: uuid() });
    await ended(red, operation?.name);
    await eventually(() => existsSync(running), { message: 'it is being cleaned' });
    const { providerStates: states } = metal.as('operator');
    await states.quarantineProvider({ name: STATE, reason: 'smells', requestId: uuid() });
    t.true(existsSync(running), 'a quarantine waits for nobody');
    rmSync(held);
    await states.returnProvider({ name: STATE, requestId: uuid() });
    t.false(existsSync(running));
    t.is(metal.site.neighbours.finishes.length, 1);
    t.is((await stateOf(metal))?.state, Life.AVAILABLE);
  });

  test('a spec that no server can be is refused by the name of its field', async (t) => {
    await using metal = await startMetalSite();
    const wrong = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
    const specs = [
      { ...METAL, cpus: 2 },
      { ...METAL, memoryBytes: 1024n ** 3n },
      { ...METAL, diskBytes: 1024n ** 3n },
      { ...METAL, ports: [{ guestPort: 22 }] },
      { ...METAL, boot: { source: { case: 'image', value: 'images/x' } } },
      { ...METAL, readyWhen: { condition: { case: 'tcpPort', value: 22 } } },
    ];
    for (const spec of specs) await refused(t, create(metal, spec), wrong);
  });

  test('a server moves to the other agent when its own is gone, and the first one lets go', async (t) => {
    await using metal = await startMetalSite();
    const agents = [await metal.connect(0), await metal.connect(1)];
    await until(metal, Life.AVAILABLE);
    const { machine } = await created(metal);
    const at = agents.findIndex((agent) => agent.servers.has(machine.uid));
    const [first, second] = [agents[at], agents[1 - at]];
    first?.hangUp();
    await eventually(() => second?.servers.has(machine.uid), { message: 'the other one has it' });
    t.is(second?.servers.get(machine.uid)?.bootedGeneration, 1n, 'it is not booted anew');
    const back = metal.site.neighbours.agents;
    const uid = [...back].filter(([, name]) => name.includes('/b'))[at]?.[0] ?? '';
    const replica = metal.site.replicas[0];
    if (replica === undefined || first === undefined) throw new Error('no replica');
    await first.dial(replica.asAgent(uid));
    await eventually(() => first.moved.includes(machine.uid), { message: 'it was told to let go' });
  });

  test('a tenant sees neither address nor secret of a controller anywhere', async (t) => {
    await using metal = await startMetalSite();
    const agent = await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    agent.behaviour.problem = {
      reason: 'BMC_UNREACHABLE',
      message: `connect to ${BMC_ADDRESS} (bmc-r1.oob.example) timed out`,
    };
    const red = metal.as('red');
    const { operation } = await create(metal);
    const seen: unknown[] = [];
    await eventually(async () => {
      const { machine } = await red.machines.getMachine({ name: BENCH });
      const { operation: now } = await red.operations.getOperation({ name: operation?.name ?? '' });
      seen.push(machine, now);
      return now?.metadata?.steps.some(({ note }) => note.includes('timed out'));
    });
    seen.push(await red.machines.listMachines({ parent: PROJECT }));
    seen.push(await red.operations.listOperations({ parent: 'partitions/lab' }));
    seen.push(await red.events.listEvents({ parent: PROJECT }));
    const text = JSON.stringify(seen, (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    t.true(text.includes('(its controller)'));
    t.false(/oob\.example|bmc-default/.test(text));
  });

  test('a server is not deleted under somebody who has its console open, unless by force', async (t) => {
    await using metal = await startMetalSite();
    await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    await created(metal);
    const red = metal.as('red');
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      const options = { signal: stop.signal };
      for await (const { content } of red.consoles.watchConsole({ name: BENCH }, options)) {
        seen.push(content?.content.case ?? '');
      }
    })().catch(() => undefined);
    await eventually(() => seen.includes('opened'), { message: 'the console is open' });
    const remove = (force: boolean) =>
      red.machines.deleteMachine({ name: BENCH, force, requestId: uuid() });
    const open = { kind: 'failed_precondition', reason: 'CONSOLE_OPEN' } as const;
    const error = await refused(t, remove(false), open);
    t.is(error.metadata.principals, 'users/red');
    const { operation } = await remove(true);
    t.not((await ended(red, operation?.name)).result.case, 'error');
    stop.abort();
    await watching;
  });

  test('an operator ends by force what a machine is in the middle of', async (t) => {
    await using metal = await startMetalSite();
    const agent = await metal.connect(0);
    await until(metal, Life.AVAILABLE);
    agent.behaviour.speaks = false;
    const { operation } = await create(metal);
    const red = metal.as('red');
    const stateOfBench = async () =>
      (await red.machines.getMachine({ name: BENCH })).machine?.status?.state;
    await eventually(async () => (await stateOfBench()) === MachineState.PREPARING);
    const asked = { name: BENCH, reason: 'its agent is mute', requestId: uuid() };
    await t.throwsAsync(red.machines.forceFailMachine(asked), undefined, 'operators only');
    const { machine } = await metal.as('operator').machines.forceFailMachine(asked);
    t.is(machine?.status?.state, MachineState.BOOT_FAILED);
    t.is(machine?.status?.problem?.reason, 'FORCE_FAILED');
    t.is((await ended(red, operation?.name)).result.case, 'error');
    agent.behaviour.speaks = true;
    const again = await red.machines.startMachine({ name: BENCH, requestId: uuid() });
    t.not((await ended(red, again.operation?.name)).result.case, 'error');
    t.is(await stateOfBench(), MachineState.ACTIVE);
  });

  test('where its controller moves, the agent of a server is told', async (t) => {
    await using metal = await startMetalSite({ servers: 0 });
    const agent = await metal.connect(0);
    // The neighbours count a generation when a provider is told again.
    const server = newServer('r1u1');
    metal.site.neighbours.addProvider(server);
    await until(metal, Life.AVAILABLE);
    const { machine } = await created(metal);
    if (server.spec?.bmc !== undefined) server.spec.bmc.address = 'https://moved.oob.example';
    metal.site.neighbours.changeProvider(() => undefined);
    await eventually(
      () => agent.servers.get(machine.uid)?.controller?.address === 'https://moved.oob.example',
      { message: 'the agent knows the new address' },
    );
    t.is(agent.servers.get(machine.uid)?.bootGeneration, 1n);
  });
};
