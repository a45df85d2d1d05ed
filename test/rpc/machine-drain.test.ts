/** An agent that is drained takes no new work, and what it had at controllers goes to others. */
import test from 'ava';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { ProviderLifeState } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { createFakeAgent, type FakeAgent } from './machine-agent.ts';
import {
  AGENT,
  clientsOf,
  connectAgent,
  createMachine,
  ended,
  PROJECT,
  type Site,
  startSite,
  uuid,
} from './machine-fixture.ts';
import { BMC_AGENTS, newServer, startMetalSite } from './machine-metal-fixture.ts';
import { PROVIDER } from './machine-neighbours.ts';
import { openStore } from './machine-sink-fixture.ts';

test('the controllers of a drained agent go to others, and come back to it in time', async (t) => {
  await using metal = await startMetalSite({ servers: 0 });
  const agents = [await metal.connect(0), await metal.connect(1)];
  const servers = Array.from({ length: 12 }, (_, at) => newServer(`r2u${at + 1}`));
  for (const server of servers) metal.site.neighbours.addProvider(server);
  const { hardware } = metal.as('operator');
  const { agents: directory } = metal.as('admin');
  const readAll = () => Promise.all(servers.map(({ name }) => hardware.getProviderPower({ name })));
  const asked = ({ orders }: FakeAgent) =>
    orders.filter(({ work }) => work.case === 'readPower').length;
  await eventually(readAll);
  const before = agents.map(asked);
  t.true(
    before.every((count) => count > 0),
    `both have work: ${before}`,
  );
  const [name = ''] = BMC_AGENTS;
  const drained = await directory.drainAgent({ name, why: 'its host is moved', requestId: uuid() });
  t.is(drained.agent?.status?.state, AgentState.DRAINED);
  await readAll();
  const after = agents.map(asked);
  t.is(after[0], before[0]);
  t.is(after[1], (before[1] ?? 0) + servers.length);
  const resumed = await directory.resumeAgent({ name, requestId: uuid() });
  t.is(resumed.agent?.status?.state, AgentState.UP);
});

test('consoles of a drained agent end, and it stays drained when it dials again', async (t) => {
  await using site = await startSite();
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const agent = await connectAgent(site);
  const red = clientsOf(replica.asPerson('red'));
  const admin = clientsOf(replica.asPerson('admin'));
  await createMachine(red, 'web-1');
  const name = 'partitions/lab/agents/a1';
  const { agents: all } = await admin.agents.listAgents({ parent: 'partitions/lab' });
  const found = all[0]?.name ?? name;
  let printed = '';
  const watching = (async () => {
    const open = { name: `${PROJECT}/machines/web-1`, replayBytes: 1024 };
    for await (const { content } of red.consoles.watchConsole(open)) {
      const part = content?.content;
      if (part?.case === 'data') printed += Buffer.from(part.value).toString();
    }
  })();
  await eventually(() => printed.includes('boot log'));
  await admin.agents.drainAgent({ name: found, requestId: uuid() });
  await watching;
  const stateOf = async () => (await admin.agents.getAgent({ name: found })).agent?.status?.state;
  t.is(await stateOf(), AgentState.DRAINED);
  agent.hangUp();
  await agent.ended();
  await eventually(async () => (await stateOf()) === AgentState.DOWN);
  await agent.dial(replica.asAgent(site.agentUid));
  t.is(await stateOf(), AgentState.DRAINED);
  await admin.agents.resumeAgent({ name: found, requestId: uuid() });
  t.is(await stateOf(), AgentState.UP);
});

test('a stranger drains no agent and learns of none, and nobody drains what is not there', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const red = clientsOf(replica.asPerson('red'));
  const admin = clientsOf(replica.asPerson('admin'));
  const [agent] = (await admin.agents.listAgents({ parent: 'partitions/lab' })).agents;
  const name = agent?.name ?? '';
  await refused(t, red.agents.drainAgent({ name, requestId: uuid() }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  const nobody = { name: 'partitions/lab/agents/nobody', requestId: uuid() };
  await refused(t, admin.agents.drainAgent(nobody), { kind: 'not_found', reason: 'NOT_FOUND' });
});

const hostOf = (site: Site) => ({
  state: `${PROVIDER}/state`,
  lastWord: () =>
    site.neighbours.offers.findLast(
      ({ providerUid }) => providerUid === site.neighbours.provider.uid,
    ),
});

const openHost = async (site: Site): Promise<FakeAgent> => {
  const agent = await connectAgent(site);
  const { lastWord } = hostOf(site);
  await eventually(() => lastWord()?.closed === false, { message: 'the host is open' });
  return agent;
};

test('a VM host whose agent is drained takes no new claims, and machines on it go on', async (t) => {
  await using site = await startSite();
  await openHost(site);
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const [admin, red] = ['admin', 'red'].map((token) => clientsOf(replica.asPerson(token)));
  if (admin === undefined || red === undefined) throw new Error('nobody asks');
  const { state: name, lastWord } = hostOf(site);
  await createMachine(red, 'web-1');
  const shown = async () => (await admin.providerStates.getProviderState({ name })).providerState;
  await admin.agents.drainAgent({ name: AGENT, requestId: uuid() });
  t.true(lastWord()?.closed, 'the answer comes when the scheduler was told');
  t.like(await shown(), { drained: true, state: ProviderLifeState.IN_USE, inUse: true });
  const machine = `${PROJECT}/machines/web-1`;
  const { operation } = await red.machines.resetMachine({ name: machine, requestId: uuid() });
  t.is(
    (await ended(red, operation?.name)).result.case,
    'response',
    'what is there can be worked on',
  );
  site.neighbours.changeProvider(() => undefined);
  await eventually(() => lastWord()?.inventoryGeneration === 2n, { message: 'a new generation' });
  t.true(lastWord()?.closed, 'and it opens nothing');
  await admin.agents.resumeAgent({ name: AGENT, requestId: uuid() });
  t.false(lastWord()?.closed);
  t.like(await shown(), { drained: false, state: ProviderLifeState.IN_USE });
  const parent = 'partitions/lab/projects/-';
  const targetUid = site.neighbours.provider.uid;
  const { events } = await admin.events.listEvents({ parent, targetUid });
  const told = events.map(({ type }) => type).filter((type) => /drained|resumed/.test(type));
  t.deepEqual(told.toSorted(), ['provider.drained', 'provider.resumed']);
});

test('nothing opens a host whose agent is drained but its resumption', async (t) => {
  await using site = await startSite();
  const agent = await openHost(site);
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const { agents, providerStates } = clientsOf(replica.asPerson('admin'));
  const { state: name, lastWord } = hostOf(site);
  await agents.drainAgent({ name: AGENT, requestId: uuid() });
  const from = site.neighbours.offers.length;
  await providerStates.maintainProvider({ name, reason: 'new fan', requestId: uuid() });
  const returned = await providerStates.returnProvider({ name, requestId: uuid() });
  t.like(returned.providerState, { state: ProviderLifeState.AVAILABLE, drained: true });
  agent.hangUp();
  await agent.ended();
  const synced = agent.synced();
  await agent.dial(replica.asAgent(site.agentUid));
  await eventually(() => agent.synced() > synced, { message: 'it is synced again' });
  t.true(site.neighbours.offers.slice(from).every(({ closed }) => closed));
  // Somebody else's word opens it at the leader: it is closed again.
  const last = lastWord();
  if (last !== undefined) site.neighbours.offers.push({ ...last, closed: false });
  await eventually(() => lastWord()?.closed === true, { message: 'closed again' });
  await agents.resumeAgent({ name: AGENT, requestId: uuid() });
  t.false(lastWord()?.closed);
});

test('a drain that the scheduler cannot be told is one all the same, and told when it answers', async (t) => {
  await using site = await startSite();
  await openHost(site);
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const { agents } = clientsOf(replica.asPerson('admin'));
  const { lastWord } = hostOf(site);
  site.neighbours.away.add('scheduler');
  const { agent } = await agents.drainAgent({ name: AGENT, requestId: uuid() });
  t.is(agent?.status?.state, AgentState.DRAINED);
  t.false(lastWord()?.closed);
  site.neighbours.away.clear();
  await eventually(() => lastWord()?.closed === true, { message: 'it was told' });
});

test('a drain whose replica died before it told anybody is found', async (t) => {
  await using site = await startSite();
  await openHost(site);
  const { lastWord } = hostOf(site);
  const store = await openStore(site);
  const { agents } = createRecords(systemClock);
  await store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
    const agent = await agents.lock(tx, site.agentUid);
    if (agent !== undefined) await agents.save(tx, { ...agent, isDrained: true, state: 'drained' });
  });
  await store.close();
  await eventually(() => lastWord()?.closed === true, { message: 'it was told' });
  t.true(lastWord()?.closed);
});

test('a host that another agent serves too is closed when both are drained', async (t) => {
  await using site = await startSite();
  await openHost(site);
  const replica = site.replicas[0];
  if (replica === undefined) throw new Error('no such replica');
  const { agents } = clientsOf(replica.asPerson('admin'));
  const { lastWord } = hostOf(site);
  const second = { name: 'partitions/lab/agents/a2', uid: systemRandom.uid() };
  site.neighbours.agents.set(second.uid, second.name);
  const other = createFakeAgent();
  await other.dial(replica.asAgent(second.uid));
  site.neighbours.changeProvider(({ spec }) => {
    const [pool] = spec?.agentPools ?? [];
    pool?.agents.push(second.name);
  });
  await eventually(() => lastWord()?.inventoryGeneration === 2n, { message: 'it was told' });
  await agents.drainAgent({ name: AGENT, requestId: uuid() });
  t.false(lastWord()?.closed);
  await agents.drainAgent({ name: second.name, requestId: uuid() });
  t.true(lastWord()?.closed);
  await agents.resumeAgent({ name: second.name, requestId: uuid() });
  t.false(lastWord()?.closed);
});
