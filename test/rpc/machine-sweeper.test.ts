/**
 * What nobody asks for: claims that end, claims without a machine, given claims, replicas that die.
 */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { MachineState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  AllocationSchema,
  type Claim,
  ClaimSchema,
  ClaimState,
} from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
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
import { openStore } from './machine-sink-fixture.ts';

const NAME = `${PROJECT}/machines/web-1`;

const as = (site: Site, token: string) => {
  const [replica] = site.replicas;
  if (replica === undefined) throw new Error('no replica');
  return clientsOf(replica.asPerson(token));
};

const firstClaim = (site: Site): Claim => {
  const [claim] = site.neighbours.claims.values();
  if (claim?.status === undefined) throw new Error('no claim');
  return claim;
};

const claimOf = (site: Site, name: string, consumerUid: string): Claim => {
  const { provider } = site.neighbours;
  const amounts = { 'runm.cpu.shared': 2n, 'runm.memory': 1024n ** 3n };
  const claim = create(ClaimSchema, {
    name: `${PROJECT}/claims/${name}`,
    uid: systemRandom.uid(),
    createTime: timestampFromMs(Date.parse('2026-01-01')),
    spec: { groups: [], ...(consumerUid !== '' && { consumer: consumer(consumerUid) }) },
    status: {
      state: ClaimState.ACTIVE,
      allocations: Object.entries(amounts).map(([resourceType, amount]) =>
        create(AllocationSchema, {
          group: 'main',
          providerUid: provider.uid,
          provider: provider.name,
          resourceType,
          amount,
        }),
      ),
    },
  });
  site.neighbours.claims.set(claim.name, claim);
  return claim;
};

const consumer = (uid: string) => ({ type: 'runm.machine', uid, name: 'gone' });

const isFinished = (claim: Claim): boolean =>
  claim.status?.allocations.every((one) => one.finishTime !== undefined) === true;

test('a machine whose claim is released is deleted and its provider given back', async (t) => {
  await using site = await startSite();
  const agent = await connectAgent(site);
  const red = as(site, 'red');
  const { machine } = await createMachine(red, 'web-1');
  const claim = firstClaim(site);
  if (claim.status !== undefined) claim.status.state = ClaimState.RELEASING;
  site.neighbours.tellClaim();
  const name = `${PROJECT}/machines/${machine.uid}`;
  await eventually(async () => {
    const found = await red.machines.getMachine({ name });
    return found.machine?.status?.state === MachineState.GONE;
  });
  t.true(isFinished(claim));
  t.is(agent.guests.get(machine.uid)?.assignment.content.case, 'absent');
  const { operations } = await red.operations.listOperations({ parent: 'partitions/lab' });
  t.is(operations[0]?.metadata?.caller, 'services/machine');
});

test('a claim whose machine is gone is released', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const uid = systemRandom.uid();
  const lost = claimOf(site, `machine-${uid}`, uid);
  const foreign = claimOf(site, 'mine', systemRandom.uid());
  site.neighbours.tellClaim();
  await eventually(() => isFinished(lost));
  t.is(lost.status?.state, ClaimState.RELEASED);
  // A claim that somebody made himself is his to release.
  t.is(foreign.status?.state, ClaimState.ACTIVE);
});

test('a machine on a given claim uses its place and leaves it when it is deleted', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const red = as(site, 'red');
  const claim = claimOf(site, 'mine', '');
  const { machine } = await createMachine(red, 'web-1', { claim: 'mine' });
  t.is(machine.status?.state, MachineState.ACTIVE);
  t.is(machine.status?.claim, claim.name);
  const second = await createMachine(red, 'web-2', { claim: claim.name });
  t.is(second.machine.status?.state, MachineState.PREPARE_FAILED);
  t.regex(second.machine.status?.problem?.message ?? '', /no place left/);
  const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
  await ended(red, operation?.name);
  t.is(claim.status?.state, ClaimState.ACTIVE);
  const start = await red.machines.startMachine({
    name: `${PROJECT}/machines/web-2`,
    requestId: uuid(),
  });
  t.is((await ended(red, start.operation?.name)).result.case, 'response');
});

test('agents of a replica that died are marked down', async (t) => {
  await using site = await startSite();
  await connectAgent(site);
  const admin = as(site, 'admin');
  const stateOf = async () => (await admin.agents.getAgent({ name: AGENT })).agent?.status;
  // As after a crash: the row still names a replica that nobody has heard of.
  const store = await openStore(site);
  const { agents } = createRecords(systemClock);
  await store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
    const agent = await agents.lock(tx, site.agentUid);
    if (agent !== undefined) await agents.save(tx, { ...agent, replica: 'dead-1' });
  });
  await store.close();
  await eventually(async () => (await stateOf())?.state === AgentState.DOWN);
  const { events } = await admin.events.listEvents({ parent: 'partitions/lab/projects/-' });
  const down = events.find((event) => event.type === 'agent.down');
  t.is(down?.data.reason, 'REPLICA_LOST');
});
