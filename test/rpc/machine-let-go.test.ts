/** A server whose agent does not answer is cleaned without it, and is not the agent's any more. */
import test from 'ava';
import { MachineType } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { OPERATION_LIMITS } from '../../services/machine/domain/view.ts';
import { eventually } from '../support/eventually.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import { startMetalSite } from './machine-metal-fixture.ts';

const NAME = `${PROJECT}/machines/bench-1`;

const startWithMachine = async () => {
  const limits = { ...OPERATION_LIMITS, powerMs: 2_000 };
  const metal = await startMetalSite({ config: { limits } });
  const agent = await metal.connect(0);
  await eventually(() => metal.closed(0) === false, { message: 'the server is available' });
  const red = metal.as('red');
  const asked = { machineId: 'bench-1', machine: { spec: { type: MachineType.BARE_METAL } } };
  const made = await red.machines.createMachine({ parent: PROJECT, ...asked, requestId: uuid() });
  await ended(red, made.operation?.name);
  const remove = async (): Promise<void> => {
    const { operation } = await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    await ended(red, operation?.name);
  };
  const [agentUid] = [...metal.site.neighbours.agents.keys()].slice(-2);
  return { metal, agent, remove, agentUid: agentUid ?? '', uid: made.machine?.uid ?? '' };
};

test('an agent that does not confirm a deletion is told to let the server go', async (t) => {
  const { metal, agent, remove, uid } = await startWithMachine();
  await using _ = metal;
  agent.behaviour.speaks = false;
  await remove();
  await eventually(() => agent.moved.includes(uid), { message: 'it is told' });
  t.pass();
});

test('an agent that is away through a deletion lets the server go when it is back', async (t) => {
  const { metal, agent, remove, agentUid, uid } = await startWithMachine();
  await using _ = metal;
  agent.hangUp();
  await agent.ended();
  await remove();
  t.deepEqual(agent.moved, []);
  const replica = metal.site.replicas[0];
  if (replica === undefined) throw new Error('no replica');
  await agent.dial(replica.asAgent(agentUid));
  await eventually(() => agent.synced() > 1, { message: 'all is told' });
  t.deepEqual(agent.moved, [uid]);
  t.deepEqual(agent.orphans(), []);
});
