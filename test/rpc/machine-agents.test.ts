/** The agent protocol against the real service: sessions, replays, orphans, files, openings. */
import { createHash, randomUUID } from 'node:crypto';
import test from 'ava';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import {
  ImageFormat,
  ImagePartRole,
  ImageState,
} from '../../gen/runmachine/machine/v1/image_pb.ts';
import { MachineState, PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import { publishRevocation } from '../../services/store/coordination/revocations.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { createFakeAgent } from './machine-agent.ts';
import {
  AGENT,
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

const replicaOf = (site: Site, index = 0) => {
  const replica = site.replicas[index];
  if (replica === undefined) throw new Error('no such replica');
  return replica;
};

const agentState = async (clients: Clients) =>
  (await clients.agents.getAgent({ name: AGENT })).agent?.status;

test('only an agent may hold a session, and only one that has joined', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const person = createFakeAgent();
  await refused(t, person.dial(replica.asPerson('admin')), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  const stranger = createFakeAgent();
  await refused(t, stranger.dial(replica.asAgent(randomUUID())), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
});

test('the first Hello makes the agent known, and a provider of its pool is opened', async (t) => {
  await using site = await startSite();
  const agent = await connectAgent(site);
  t.is(agent.welcome()?.agent, AGENT);
  const admin = clientsOf(replicaOf(site).asPerson('admin'));
  t.like(await agentState(admin), { state: AgentState.UP, epoch: 1n, version: '0.1.0' });
  const offer = await eventually(() => site.neighbours.offers[0]);
  t.is(offer.inventoryGeneration, 1n);
  t.false(offer.closed);
  t.deepEqual(
    offer.capacities.map((one) => [one.resourceType, one.usable, one.maxUnit]),
    [
      ['runm.cpu.shared', 16n, 4n],
      ['runm.memory', 7n * 1024n ** 3n, 8n * 1024n ** 3n],
    ],
  );
  site.neighbours.changeProvider((provider) => {
    const [cpu] = provider.spec?.inventories ?? [];
    if (cpu !== undefined) cpu.total = 2n;
  });
  const second = await eventually(() => site.neighbours.offers[1]);
  t.like(second, { inventoryGeneration: 2n });
  t.is(second.capacities[0]?.usable, 8n);
  // A new session of the same generation needs no new offer.
  agent.hangUp();
  await agent.ended();
  await agent.dial(replicaOf(site).asAgent(site.agentUid));
  await eventually(() => agent.synced() === 2);
  t.is(site.neighbours.offers.length, 2);
});

test('reports are acknowledged when they are stored, and a replay counts once', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  const agent = await connectAgent(site);
  const { machine } = await createMachine(red, 'web-1');
  await eventually(() => agent.acknowledged() === agent.sequence() && agent.sequence() > 0);
  const told = async () => {
    const { events } = await red.events.listEvents({ parent: PROJECT, targetUid: machine.uid });
    return events.map((event) => event.type).filter((type) => type === 'machine.note');
  };
  const note = { type: 'machine.note', targetUid: machine.uid, message: 'noted' };
  agent.send({ case: 'event', value: note });
  agent.hangUp();
  await agent.ended();
  agent.send({ case: 'event', value: note });
  const welcome = await agent.dial(replica.asAgent(site.agentUid));
  t.true(welcome.epoch > 1n);
  await eventually(async () => (await told()).length === 2);
  await eventually(() => agent.acknowledged() === agent.sequence());
  t.is((await told()).length, 2);
  // The same sequence again, as after a lost acknowledgement.
  agent.send({ case: 'observation', value: { uid: machine.uid } });
  await eventually(() => agent.acknowledged() === agent.sequence());
});

test('an agent speaks only for what it was given', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  await connectAgent(site);
  const { machine } = await createMachine(red, 'web-1');
  const otherUid = randomUUID();
  site.neighbours.agents.set(otherUid, 'partitions/lab/agents/a2');
  const other = createFakeAgent();
  await other.dial(replica.asAgent(otherUid));
  const power = PowerState.OFF;
  const seen = { uid: machine.uid, incarnation: 1n, generation: 99n, power, guestOff: true };
  other.send({ case: 'observation', value: seen });
  other.send({
    case: 'event',
    value: { type: 'machine.fake', targetUid: machine.uid, message: 'no' },
  });
  await eventually(() => other.acknowledged() === 2);
  const found = await red.machines.getMachine({ name: NAME });
  t.is(found.machine?.status?.state, MachineState.ACTIVE);
  const { events } = await red.events.listEvents({ parent: PROJECT, targetUid: machine.uid });
  t.false(events.some((event) => event.type === 'machine.fake'));
  const { agents } = await clientsOf(replica.asPerson('admin')).agents.listAgents({
    parent: 'partitions/lab',
  });
  t.deepEqual(
    agents.map((one) => one.name),
    [AGENT, 'partitions/lab/agents/a2'],
  );
});

test('a revoked agent is shown as revoked, connected or not, and is no longer served', async (t) => {
  await using site = await startSite();
  const admin = clientsOf(replicaOf(site).asPerson('admin'));
  const agent = await connectAgent(site);
  const awayUid = uuid();
  site.neighbours.agents.set(awayUid, 'partitions/lab/agents/a2');
  const away = createFakeAgent();
  await away.dial(replicaOf(site).asAgent(awayUid));
  away.hangUp();
  await away.ended();
  const signal = AbortSignal.timeout(60_000);
  for (const uid of [site.agentUid, awayUid]) {
    await publishRevocation(site.coordination, { kind: 'agent', uid }, signal);
  }
  await agent.ended();
  const states = async () =>
    (await admin.agents.listAgents({ parent: 'partitions/lab' })).agents.map(
      (one) => one.status?.state,
    );
  const revoked = [AgentState.REVOKED, AgentState.REVOKED];
  await eventually(async () => (await states()).join() === revoked.join());
  const told = await admin.events.listEvents({
    parent: 'partitions/lab/projects/-',
    targetUid: awayUid,
  });
  t.deepEqual(
    told.events.map((event) => event.type).filter((type) => type === 'agent.revoked'),
    ['agent.revoked'],
  );
});

test('an agent that was revoked and joined again takes the place of its name', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const admin = clientsOf(replica.asPerson('admin'));
  const red = clientsOf(replica.asPerson('red'));
  const former = await connectAgent(site);
  const { machine } = await createMachine(red, 'web-1');
  const joinedUid = uuid();
  site.neighbours.agents.delete(site.agentUid);
  site.neighbours.agents.set(joinedUid, AGENT);
  const agent = createFakeAgent();
  const welcome = await agent.dial(replica.asAgent(joinedUid));
  t.is(welcome.agent, AGENT);
  t.is(welcome.epoch, 2n);
  await former.ended();
  await eventually(() => agent.guests.has(machine.uid));
  const { agents } = await admin.agents.listAgents({ parent: 'partitions/lab' });
  t.deepEqual(
    agents.map(({ name, uid }) => [name, uid]),
    [[AGENT, joinedUid]],
  );
  t.is((await agentState(admin))?.state, AgentState.UP);
  await refused(t, createFakeAgent().dial(replica.asAgent(site.agentUid)), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
});

test('two processes with one certificate are quarantined', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const [a, b] = [createFakeAgent(), createFakeAgent()];
  const transport = replica.asAgent(site.agentUid);
  await a.dial(transport);
  await b.dial(transport);
  await a.ended();
  await a.dial(transport);
  await b.ended();
  const error = domainErrorOf(await t.throwsAsync(b.dial(transport)));
  t.is(error?.extras.invalidState?.state, 'QUARANTINED');
  await a.ended();
  await refused(t, a.dial(transport), { kind: 'failed_precondition', reason: 'INVALID_STATE' });
});

test('silence is noticed, the machine goes on, and the session resumes', async (t) => {
  await using site = await startSite({ config: { heartbeatMs: 200 } });
  const replica = replicaOf(site);
  // Silent from the first moment on: on a busy machine it may be over before anything is synced.
  const agent = createFakeAgent();
  await agent.dial(replica.asAgent(site.agentUid));
  const admin = clientsOf(replica.asPerson('admin'));
  await agent.ended();
  t.is(agent.goodbye(), 'SILENT');
  await eventually(async () => (await agentState(admin))?.state === AgentState.DOWN);
  const { events } = await admin.events.listEvents({ parent: 'partitions/lab/projects/-' });
  t.deepEqual(
    events.filter((event) => event.target === AGENT).map((event) => event.type),
    ['agent.up', 'agent.down'],
  );
});

test('heartbeats are answered now and then and write nothing', async (t) => {
  await using site = await startSite();
  const agent = await connectAgent(site);
  const admin = clientsOf(replicaOf(site).asPerson('admin'));
  const before = (await admin.agents.getAgent({ name: AGENT })).agent;
  const told = agent.acknowledgements();
  for (let number = 1n; number <= 10n; number += 1n) {
    agent.send({ case: 'heartbeat', value: { number } }, false);
  }
  await eventually(() => agent.acknowledgements() === told + 5);
  t.true(agent.isConnected());
  const after = (await admin.agents.getAgent({ name: AGENT })).agent;
  t.is(after?.etag, before?.etag);
  t.true((after?.status?.lastHeartbeatTime?.seconds ?? 0n) > 0n);
});

test('a deletion waits visibly for an agent that is down', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  const agent = await connectAgent(site);
  const { machine } = await createMachine(red, 'web-1');
  agent.hangUp();
  await agent.ended();
  const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
  const note = await eventually(async () => {
    const found = await red.operations.getOperation({ name: operation?.name ?? '' });
    const step = found.operation?.metadata?.steps.find((one) => one.name === 'destroy');
    return step?.note.includes('is down since') === true ? step.note : undefined;
  });
  t.regex(note, /agents\/a1 is down since 20/);
  await agent.dial(replica.asAgent(site.agentUid));
  t.is((await ended(red, operation?.name)).result.case, 'response');
  // Only the explicit absence destroyed it.
  t.is(agent.guests.get(machine.uid)?.assignment.content.case, 'absent');
});

test('what an agent holds and nobody wants is reported and kept', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  const agent = await connectAgent(site);
  await createMachine(red, 'web-1');
  const [[uid, guest] = []] = agent.guests;
  if (uid === undefined || guest === undefined) throw new Error('no guest');
  const stray = randomUUID();
  agent.guests.set(stray, { ...guest });
  agent.hangUp();
  await agent.ended();
  await agent.dial(replica.asAgent(site.agentUid));
  const admin = clientsOf(replica.asPerson('admin'));
  await eventually(async () => (await agentState(admin))?.orphans.length === 1);
  t.deepEqual((await agentState(admin))?.orphans, [stray]);
  await eventually(() => agent.orphans().length > 0, { message: 'it is told, too' });
  t.deepEqual(agent.orphans(), [stray]);
  t.is(agent.guests.get(stray)?.power, PowerState.ON);
});

test('an agent that lost its memory gets everything anew', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  const agent = await connectAgent(site);
  const { machine } = await createMachine(red, 'web-1');
  const before = agent.guests.get(machine.uid);
  agent.hangUp();
  await agent.ended();
  agent.forget();
  const welcome = await agent.dial(replica.asAgent(site.agentUid));
  t.is(welcome.lastSequence, 0n);
  const guest = await eventually(() => agent.guests.get(machine.uid));
  t.is(guest.assignment.generation, before?.assignment.generation ?? 0n);
  await eventually(() => agent.acknowledged() === agent.sequence() && agent.sequence() > 0);
});

test('a file goes only to an agent with an assignment that names it', async (t) => {
  await using site = await startSite();
  const replica = replicaOf(site);
  const red = clientsOf(replica.asPerson('red'));
  const agent = await connectAgent(site);
  const kernel = Buffer.alloc(2_500_000, 'kernel ');
  const sha256 = createHash('sha256').update(kernel).digest('hex');
  await red.images.createImage({
    imageId: 'linux',
    image: {
      spec: {
        format: ImageFormat.KERNEL,
        project: 'projects/red',
        parts: [{ role: ImagePartRole.KERNEL, sha256 }],
      },
    },
    requestId: uuid(),
  });
  const { image } = await red.images.uploadImagePart(
    (async function* () {
      yield {
        content: {
          case: 'header' as const,
          value: { name: 'images/linux', role: ImagePartRole.KERNEL },
        },
      };
      for (let at = 0; at < kernel.length; at += 300_000) {
        yield { content: { case: 'data' as const, value: kernel.subarray(at, at + 300_000) } };
      }
    })(),
  );
  t.is(image?.status?.state, ImageState.AVAILABLE);
  t.is(image?.status?.receivedBytes, BigInt(kernel.length));
  const transport = replica.asAgent(site.agentUid);
  await refused(t, agent.fetch(transport, sha256), { kind: 'not_found', reason: 'NOT_FOUND' });
  const { machine } = await createMachine(red, 'web-1', {
    boot: { source: { case: 'image', value: 'images/linux' } },
  });
  t.true((await agent.fetch(transport, sha256)).equals(kernel));
  t.true((await agent.fetch(transport, sha256, 1_500_000)).equals(kernel.subarray(1_500_000)));
  const content = agent.guests.get(machine.uid)?.assignment.content;
  t.is(content?.case === 'virtualMachine' ? content.value.boot?.kernelSha256 : '', sha256);
  t.is(content?.case === 'virtualMachine' ? content.value.boot?.commandLine : '', 'console=ttyS0');
  await refused(t, red.images.deleteImage({ name: 'images/linux', requestId: uuid() }), {
    kind: 'failed_precondition',
    reason: 'IN_USE',
  });
  const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
  await ended(red, operation?.name);
  await refused(t, agent.fetch(transport, sha256), { kind: 'not_found', reason: 'NOT_FOUND' });
  await red.images.deleteImage({ name: 'images/linux', requestId: uuid() });
});
