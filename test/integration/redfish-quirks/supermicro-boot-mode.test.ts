import test from 'ava';
import { supermicroBootMode } from '../../../services/agent/drivers/redfish/quirks/supermicro-boot-mode.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('a Supermicro board is told its boot mode with each override', async (t) => {
  for (const vendor of ['Supermicro', 'Super Micro Computer', 'SuperMicro']) {
    t.true(supermicroBootMode.applies({ ...UNKNOWN, vendor }));
  }
  t.false(supermicroBootMode.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Supermicro' },
    personality: { bootMode: 'forgotten' },
  });
  const boot = offered((await lab.open()).offers.bootDevice);
  await boot.set({ device: 'network', persistent: false }, inTime());
  t.deepEqual(lab.server.boot(), { device: 'network', persistent: false, mode: 'uefi' });
  await boot.set({ device: 'none', persistent: false }, inTime());
  t.is(lab.server.boot().mode, 'uefi');
});
