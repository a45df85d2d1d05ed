import test from 'ava';
import { sushyToolsBootLasts } from '../../../services/agent/drivers/redfish/quirks/sushy-tools-boot-lasts.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('an override that lasts is set, told as one that lasts, and ended by the disk', async (t) => {
  t.true(sushyToolsBootLasts.applies({ ...UNKNOWN, vendor: 'Sushy Emulator' }));
  t.false(sushyToolsBootLasts.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Sushy Emulator' },
    personality: { bootOverride: 'lasts' },
  });
  const boot = offered((await lab.open()).offers.bootDevice);
  await boot.set({ device: 'network', persistent: false }, inTime());
  t.like(await boot.read(inTime()), { device: 'network', persistent: true });
  await boot.set({ device: 'none', persistent: false }, inTime());
  t.like(await boot.read(inTime()), { device: 'disk', persistent: true });
});
