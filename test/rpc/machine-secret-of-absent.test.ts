/** An agent that was started anew amid a deletion knows no password any more. */
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { MachineType } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { OPERATION_LIMITS } from '../../services/machine/domain/view.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import { BMC_AGENTS, SECRET, startMetalSite } from './machine-metal-fixture.ts';

test('an agent reads the secret of a server that it has to switch off because it must not be there', async (t) => {
  const limits = { ...OPERATION_LIMITS, powerMs: 10_000 };
  await using metal = await startMetalSite({ config: { limits } });
  const agent = await metal.connect(0);
  await eventually(() => metal.closed(0) === false, { message: 'the server is available' });
  const { machines } = metal.as('red');
  const asked = { machineId: 'bench-1', machine: { spec: { type: MachineType.BARE_METAL } } };
  const made = await machines.createMachine({ parent: PROJECT, ...asked, requestId: uuid() });
  t.is((await ended(metal.as('red'), made.operation?.name)).result.case, 'response');
  const { site } = metal;
  const [uid] = [...site.neighbours.agents].find(([, name]) => name === BMC_AGENTS[0]) ?? [];
  const transport = site.replicas[0]?.asAgent(uid ?? '');
  if (transport === undefined) throw new Error('no replica');
  const { getSecret } = createClient(AgentService, transport);

  agent.behaviour.speaks = false;
  const name = `${PROJECT}/machines/bench-1`;
  const { operation } = await machines.deleteMachine({ name, requestId: uuid() });
  const guest = made.machine?.uid ?? '';
  const isAbsent = () => agent.guests.get(guest)?.assignment.content.case === 'absent';
  await eventually(isAbsent, { message: 'the agent was told that it must not be there' });
  t.is((await getSecret({ name: SECRET })).data.password, 'first');

  await ended(metal.as('red'), operation?.name);
  const other = getSecret({ name: 'projects/infra/secrets/other' });
  await refused(t, other, { kind: 'not_found', reason: 'NOT_FOUND' });
});
