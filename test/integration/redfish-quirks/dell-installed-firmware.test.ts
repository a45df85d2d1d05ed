import test from 'ava';
import { dellInstalledFirmware } from '../../../services/agent/drivers/redfish/quirks/dell-installed-firmware.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('the firmware of a Dell is what runs, and the rest is not asked for', async (t) => {
  t.true(dellInstalledFirmware.applies({ ...UNKNOWN, vendor: 'Dell' }));
  t.false(dellInstalledFirmware.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Dell Inc.' },
    personality: { firmware: 'all', expand: false },
  });
  const { firmware } = await offered((await lab.open()).offers.facts).read(inTime());
  const { biosVersion, bmcVersion } = lab.server.hardware;
  t.deepEqual(firmware, [
    { component: 'BIOS', version: biosVersion },
    { component: 'BMC', version: bmcVersion },
  ]);
  t.false(lab.heard.some(({ path }) => path.includes('Previous-')));
});
