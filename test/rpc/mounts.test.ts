import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { MACHINE, startFixture } from './fixture.ts';

test('one handler answers over every way in', async (t) => {
  const fixture = await startFixture();
  t.teardown(fixture.stop);
  for (const [, transport] of Object.entries(fixture.transports)) {
    const { machine } = await createClient(MachineService, transport).getMachine({ name: MACHINE });
    t.is(machine?.name, MACHINE);
  }
});
