import test from 'ava';
import { supermicroUsbCd } from '../../../services/agent/drivers/redfish/quirks/supermicro-usb-cd.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('a Supermicro board boots its virtual CD-ROM by the target that works', async (t) => {
  t.true(supermicroUsbCd.applies({ ...UNKNOWN, vendor: 'Supermicro' }));
  t.false(supermicroUsbCd.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Supermicro' },
    personality: { cdrom: 'usb' },
  });
  const boot = offered((await lab.open()).offers.bootDevice);
  await boot.set({ device: 'cdrom', persistent: false, mode: 'uefi' }, inTime());
  t.deepEqual(lab.server.boot(), { device: 'cdrom', persistent: false, mode: 'uefi' });
});
