import test from 'ava';
import { dellBiosJob } from '../../../services/agent/drivers/redfish/quirks/dell-bios-job.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('a job is made of BIOS settings of iDRAC 7 and 8', async (t) => {
  const of = (product: string) => ({ ...UNKNOWN, vendor: 'Dell Inc.', product });
  t.true(dellBiosJob.applies(of('13G Monolithic')));
  t.false(dellBiosJob.applies(of('14G Monolithic')));
  t.false(dellBiosJob.applies({ ...UNKNOWN, product: '13G Monolithic' }));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Dell Inc.' },
    personality: { managerModel: '13G Monolithic', biosByJob: true },
  });
  const bios = offered((await lab.open()).offers.bios);
  const [[name, now] = ['', '']] = await bios.read(inTime());
  const next = typeof now === 'boolean' ? !now : typeof now === 'number' ? now + 1 : `${now} 2`;
  await bios.set(new Map([[name, next]]), inTime());
  t.is(lab.server.pendingBios().get(name), next);
});
