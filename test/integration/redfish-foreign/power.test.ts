import test from 'ava';
import { foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

test('reset types between which a comma is missing are two', async (t) => {
  const at = '/redfish/v1/Systems/1';
  const target = `${at}/Actions/ComputerSystem.Reset`;
  const types = ['On', 'ForceOff', 'GracefulShutdownGracefulRestart', 'ForceRestart', 'ForceOn'];
  const { open, written } = await foreignRedfish(t, {
    [at]: {
      '@odata.id': at,
      PowerState: 'On',
      Actions: {
        '#ComputerSystem.Reset': { target, 'ResetType@Redfish.AllowableValues': types },
      },
    },
  });
  await offered((await open()).offers.power).change('soft_off', inTime());
  t.deepEqual(written, [{ method: 'POST', path: target, body: { ResetType: 'GracefulShutdown' } }]);
});
