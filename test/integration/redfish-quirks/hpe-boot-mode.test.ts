import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { hpeBootMode } from '../../../services/agent/drivers/redfish/quirks/hpe-boot-mode.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('an iLO is not told the boot mode that it has, and cannot be given another', async (t) => {
  for (const vendor of ['HP', 'HPE', 'Hewlett Packard Enterprise']) {
    t.true(hpeBootMode.applies({ ...UNKNOWN, vendor }));
  }
  t.false(hpeBootMode.applies({ ...UNKNOWN, vendor: 'HPCsystems' }));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'HPE' },
    personality: { bootMode: 'read-only' },
  });
  const boot = offered((await lab.open()).offers.bootDevice);
  await boot.set({ device: 'network', persistent: false, mode: 'uefi' }, inTime());
  t.deepEqual(lab.server.boot(), { device: 'network', persistent: false, mode: 'uefi' });
  const setting = boot.set({ device: 'network', persistent: false, mode: 'legacy' }, inTime());
  const error = await t.throwsAsync(setting, { instanceOf: BmcError });
  t.is(error.fault, 'unsupported');
});
