/** Whether a claim holds a provider is known from the scheduler alone. */
import test from 'ava';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { eventually } from '../support/eventually.ts';
import { clientsOf, connectAgent, startSite } from './machine-fixture.ts';
import { PROVIDER } from './machine-neighbours.ts';

const name = `${PROVIDER}/state`;

test('without the scheduler nobody is told that a host is free', async (t) => {
  await using site = await startSite();
  const [replica] = site.replicas;
  if (replica === undefined) throw new Error('no replica');
  const { providerStates: states } = clientsOf(replica.asPerson('operator'));
  const read = async () => {
    const { providerStates } = await states.listProviderStates({ parent: 'partitions/lab' });
    const one = (await states.getProviderState({ name })).providerState;
    return { one, listed: providerStates.find((each) => each.name === name) };
  };
  await connectAgent(site);
  await eventually(async () => (await read()).one?.state === Life.AVAILABLE);
  site.neighbours.away.add('scheduler');
  const unknown = { state: Life.AVAILABLE, inUse: false, useUnknown: true };
  t.like(await read(), { one: unknown, listed: unknown });
  site.neighbours.away.delete('scheduler');
  await eventually(async () => (await read()).one?.useUnknown === false);
  const free = { ...unknown, useUnknown: false };
  t.like(await read(), { one: free, listed: free });
});
