import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { PROJECT, startFixture } from './fixture.ts';

test('a stream whose consumer in the process went away does not stay open', async (t) => {
  const fixture = await startFixture();
  t.teardown(fixture.stop);
  const machines = createClient(MachineService, fixture.transports.inMemory);
  const away = new AbortController();
  const stream = machines.watchMachines({ parent: PROJECT }, { signal: away.signal });
  const first = await stream[Symbol.asyncIterator]().next();
  t.false(first.done);
  t.is(fixture.pipeline.activeCount(), 1);
  // Neither asks again nor returns, as a loop that was left by its signal.
  away.abort();
  await eventually(() => fixture.pipeline.activeCount() === 0, { message: 'the end of the call' });
});
