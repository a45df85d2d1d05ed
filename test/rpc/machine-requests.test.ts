/** Requests: bad input, repeated request ids, tenancy, etags, masks, paging and watching. */
import test from 'ava';
import { MachineState, MachineType } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import type { MachineEvent } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  type Clients,
  clientsOf,
  connectAgent,
  createMachine,
  ended,
  PROJECT,
  type Site,
  startSite,
  uuid,
} from './machine-fixture.ts';

const NAME = `${PROJECT}/machines/web-1`;

const as = (site: Site, token: string): Clients => {
  const [replica] = site.replicas;
  if (replica === undefined) throw new Error('no replica');
  return clientsOf(replica.asPerson(token));
};

const creation = (machineId: string, more: object = {}) => ({
  parent: PROJECT,
  machineId,
  machine: { spec: {} },
  requestId: uuid(),
  ...more,
});

test('the same request id twice at once makes one machine and gives one answer', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  const request = creation('web-1');
  const [first, second] = await Promise.all([
    red.machines.createMachine(request),
    red.machines.createMachine(request),
  ]);
  t.is(first.machine?.uid, second.machine?.uid);
  t.is(first.operation?.name, second.operation?.name);
  const { machines } = await red.machines.listMachines({ parent: PROJECT });
  t.is(machines.length, 1);
  await refused(t, red.machines.createMachine({ ...request, machineId: 'web-2' }), {
    kind: 'invalid_argument',
    reason: 'REQUEST_ID_REUSED',
  });
  const taken = await refused(t, red.machines.createMachine(creation('WEB-1')), {
    kind: 'already_exists',
    reason: 'ALREADY_EXISTS',
  });
  t.is(taken.metadata.name, `${PROJECT}/machines/WEB-1`);
});

test('of many creations at once each gets its own answer, and a wrong one hinders no other', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  const names = ['a', 'b', 'c', 'd', 'C', 'e'];
  const answers = await Promise.allSettled(
    names.map((name) => red.machines.createMachine(creation(name))),
  );
  const made = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  t.deepEqual(made.map(({ machine }) => machine?.name.at(-1)?.toLowerCase()).toSorted(), [
    ...['a', 'b', 'c', 'd', 'e'],
  ]);
  for (const one of answers) {
    if (one.status === 'rejected') {
      await refused(t, Promise.reject(one.reason), {
        kind: 'already_exists',
        reason: 'ALREADY_EXISTS',
      });
    }
  }
  const { machines } = await red.machines.listMachines({ parent: PROJECT });
  t.is(new Set(machines.map(({ uid }) => uid)).size, 5);
  for (const { machine, operation } of made) t.is(machine?.status?.operation, operation?.name);
});

const WRONG = [
  [
    'memory that is no multiple of 1 MiB',
    { memoryBytes: 100_000_000n },
    'INVALID_FIELD',
    'machine.spec.memory_bytes',
  ],
  [
    'less memory than anything boots with',
    { memoryBytes: 1024n ** 2n },
    'INVALID_FIELD',
    'machine.spec.memory_bytes',
  ],
  ['more processors than there are', { cpus: 4096 }, 'INVALID_FIELD', 'machine.spec.cpus'],
  [
    'a port that is forwarded twice',
    { ports: [{ guestPort: 22 }, { guestPort: 22, hostPort: 2222 }] },
    'INVALID_FIELD',
    'machine.spec.ports',
  ],
] as const;

for (const [what, spec, reason, field] of WRONG) {
  test(`${what} is refused by field and nothing is written`, async (t) => {
    await using site = await startSite();
    const red = as(site, 'red');
    const request = creation('web-1', { machine: { spec } });
    const error = await refused(t, red.machines.createMachine(request), {
      kind: 'invalid_argument',
      reason,
    });
    t.is(error.metadata.field, field);
    t.deepEqual((await red.machines.listMachines({ parent: PROJECT })).machines, []);
  });
}

test('what does not exist or does not fit is named', async (t) => {
  await using site = await startSite();
  const admin = as(site, 'admin');
  const create = (more: object) => admin.machines.createMachine(creation('web-1', more));
  const gone = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  const nowhere = await refused(t, create({ parent: 'partitions/mars/projects/red' }), gone);
  t.is(nowhere.metadata.name, 'partitions/mars');
  const nobody = await refused(t, create({ parent: 'partitions/lab/projects/nope' }), gone);
  t.is(nobody.metadata.name, 'projects/nope');
  const boot = { source: { case: 'image', value: 'images/nope' } };
  const noImage = await refused(t, create({ machine: { spec: { boot } } }), gone);
  t.is(noImage.metadata.name, 'images/nope');
  const metal = { type: MachineType.BARE_METAL, cpus: 2 };
  const whole = await refused(t, create({ machine: { spec: metal } }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  t.is(whole.metadata.field, 'machine.spec.cpus', 'a server is taken as it is');
  await refused(t, create({ parent: 'partitions/-/projects/red' }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  await refused(t, create({ requestId: '' }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  await refused(t, create({ machineId: uuid() }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  const shown = await create({ validateOnly: true });
  t.is(shown.machine?.status?.state, MachineState.REQUESTED);
  t.deepEqual((await admin.machines.listMachines({ parent: PROJECT })).machines, []);
});

test('a foreign project sees and changes nothing', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const red = as(site, 'red');
  const { machine, operation } = await createMachine(red, 'web-1');
  const blue = as(site, 'blue');
  const gone = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  const byUid = `partitions/lab/projects/blue/machines/${machine.uid}`;
  for (const name of [NAME, byUid]) {
    await refused(t, blue.machines.getMachine({ name }), gone);
    await refused(t, blue.machines.stopMachine({ name, requestId: uuid() }), gone);
    await refused(t, blue.machines.deleteMachine({ name, requestId: uuid() }), gone);
    const change = { machine: { name, tags: ['x'] }, updateMask: { paths: ['tags'] } };
    await refused(t, blue.machines.updateMachine(change), gone);
  }
  await refused(t, blue.operations.getOperation({ name: operation.name }), gone);
  await refused(t, blue.operations.cancelOperation({ name: operation.name }), gone);
  const all = 'partitions/-/projects/-';
  t.deepEqual((await blue.machines.listMachines({ parent: all })).machines, []);
  t.deepEqual((await blue.operations.listOperations({ parent: 'partitions/-' })).operations, []);
  await refused(t, as(site, 'reader').machines.stopMachine({ name: NAME, requestId: uuid() }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  t.is((await as(site, 'reader').machines.getMachine({ name: NAME })).machine?.uid, machine.uid);
});

test('a list comes in pages by name, and a token of another list is refused', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  for (const id of ['c', 'A', 'b', 'd']) await red.machines.createMachine(creation(id));
  const first = await red.machines.listMachines({ parent: PROJECT, pageSize: 3 });
  t.deepEqual(
    first.machines.map((one) => one.name.split('/').at(-1)),
    ['A', 'b', 'c'],
  );
  const pageToken = first.nextPageToken;
  const rest = await red.machines.listMachines({ parent: PROJECT, pageSize: 3, pageToken });
  t.deepEqual(
    rest.machines.map((one) => one.name.split('/').at(-1)),
    ['d'],
  );
  t.is(rest.nextPageToken, '');
  const other = { parent: PROJECT, states: [MachineState.GONE], pageToken };
  await refused(t, red.machines.listMachines(other), {
    kind: 'invalid_argument',
    reason: 'PAGE_TOKEN_MISMATCH',
  });
  const gone = await red.machines.listMachines({ parent: PROJECT, states: [MachineState.GONE] });
  t.deepEqual(gone.machines, []);
  const operations = await red.operations.listOperations({ parent: 'partitions/lab', pageSize: 3 });
  t.is(operations.operations.length, 3);
  t.true(operations.nextPageToken !== '');
});

test('an update changes what is masked, checks the etag, and tells the agent', async (t) => {
  await using site = await startSite();
  const agent = await connectAgent(site);
  const red = as(site, 'red');
  const { machine } = await createMachine(red, 'web-1');
  const tagged = await red.machines.updateMachine({
    machine: { name: NAME, etag: machine.etag, tags: ['blue'], spec: { cpus: 9 } },
    updateMask: { paths: ['tags'] },
  });
  t.deepEqual(tagged.machine?.tags, ['blue']);
  t.is(tagged.machine?.spec?.cpus, 0);
  t.is(tagged.machine?.generation, machine.generation);
  await refused(
    t,
    red.machines.updateMachine({
      machine: { name: NAME, etag: machine.etag, tags: [] },
      updateMask: { paths: ['tags'] },
    }),
    { kind: 'aborted', reason: 'ETAG_MISMATCH' },
  );
  await refused(
    t,
    red.machines.updateMachine({
      machine: { name: NAME, spec: { cpus: 2 } },
      updateMask: { paths: ['spec.cpus'] },
    }),
    { kind: 'invalid_argument', reason: 'INVALID_FIELD' },
  );
  await refused(
    t,
    red.machines.updateMachine({
      machine: { name: NAME },
      updateMask: { paths: ['status.state'] },
    }),
    { kind: 'invalid_argument', reason: 'MASK_INVALID' },
  );
  const ready = await red.machines.updateMachine({
    machine: { name: NAME, spec: { readyWhen: { condition: { case: 'tcpPort', value: 22 } } } },
    updateMask: { paths: ['spec.ready_when'] },
  });
  t.is(ready.machine?.generation, machine.generation + 1n);
  await eventually(() => {
    const content = agent.guests.get(machine.uid)?.assignment.content;
    return (
      content?.case === 'virtualMachine' && content.value.readyWhen?.condition.case === 'tcpPort'
    );
  });
  t.is(agent.guests.get(machine.uid)?.bootCount, 1);
});

test('a watch shows the present set, then changes, then the deletion, and resumes', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const red = as(site, 'red');
  await createMachine(red, 'web-1');
  const seen: MachineEvent['event'][] = [];
  let token = '';
  const watch = async (resumeToken: string, signal: AbortSignal) => {
    const all = 'partitions/-/projects/-';
    for await (const { events, resumeToken: next } of red.machines.watchMachines(
      { parent: all, resumeToken },
      { signal },
    )) {
      seen.push(...events.map((one) => one.event));
      token = next;
    }
  };
  const first = new AbortController();
  const watching = watch('', first.signal).catch(() => undefined);
  await eventually(() => seen.some((one) => one.case === 'synced'));
  t.deepEqual(
    seen.map((one) => one.case),
    ['created', 'synced'],
  );
  await createMachine(red, 'web-2');
  await eventually(() =>
    seen.some((one) => one.case === 'updated' && one.value.name.endsWith('web-2')),
  );
  first.abort();
  await watching;
  const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
  await ended(red, operation?.name);
  seen.length = 0;
  const second = new AbortController();
  const again = watch(token, second.signal).catch(() => undefined);
  const deleted = await eventually(() => seen.find((one) => one.case === 'deleted'));
  t.like(deleted.value, { leftView: false });
  second.abort();
  await again;
  const strange = red.machines.watchMachines({ parent: PROJECT, resumeToken: 'nonsense' });
  await refused(t, strange[Symbol.asyncIterator]().next(), {
    kind: 'out_of_range',
    reason: 'RESUME_TOKEN_EXPIRED',
  });
});

test('events are followed as they are recorded', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const red = as(site, 'red');
  const blue = as(site, 'blue');
  const types: string[] = [];
  let foreign = 0;
  let started = 0;
  const stop = new AbortController();
  const follow = async (clients: Clients, onType: (type: string) => void) => {
    const parent = 'partitions/-/projects/-';
    for await (const { events } of clients.events.watchEvents(
      { parent },
      { signal: stop.signal },
    )) {
      started += 1;
      for (const event of events) onType(event.type);
    }
  };
  const following = Promise.allSettled([
    follow(red, (type) => types.push(type)),
    follow(blue, () => {
      foreign += 1;
    }),
  ]);
  await eventually(() => started >= 2);
  await createMachine(red, 'web-1');
  await eventually(() => types.includes('machine.active'));
  t.deepEqual(types.slice(0, 3), ['machine.requested', 'machine.claimed', 'machine.assigned']);
  stop.abort();
  await following;
  t.is(foreign, 0);
});

test('waiting for an operation answers at its end or after the time', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  const { operation } = await red.machines.createMachine(creation('web-1'));
  const name = operation?.name ?? '';
  const timeout = { seconds: 0n, nanos: 50_000_000 };
  const early = await red.operations.waitOperation({ name, timeout });
  t.false(early.operation?.done);
  const waiting = red.operations.waitOperation({ name, timeout: { seconds: 60n, nanos: 0 } });
  await connectAgent(site);
  t.true((await waiting).operation?.done);
  await refused(t, red.operations.getOperation({ name: `partitions/lab/operations/${uuid()}` }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
});
