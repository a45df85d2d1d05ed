/** An agent that is drained takes no new work, and what it had at controllers goes to others. */
import test from 'ava';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import type { FakeAgent } from './machine-agent.ts';
import {
  clientsOf,
  connectAgent,
  createMachine,
  PROJECT,
  startSite,
  uuid,
} from './machine-fixture.ts';
import { BMC_AGENTS, newServer, startMetalSite } from './machine-metal-fixture.ts';

test('the controllers of a drained agent go to others, and come back to nobody but by need', async (t) => {
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
