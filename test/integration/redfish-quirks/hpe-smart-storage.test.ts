import test from 'ava';
import { hpeSmartStorage } from '../../../services/agent/drivers/redfish/quirks/hpe-smart-storage.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('disks behind array controllers of HPE are told to the byte', async (t) => {
  const of = (firmware: string) => ({ ...UNKNOWN, vendor: 'HPE', firmware });
  t.true(hpeSmartStorage.applies(of('iLO 4 v2.82')));
  t.true(hpeSmartStorage.applies(of('iLO 5 v2.72')));
  t.false(hpeSmartStorage.applies(of('iLO 6 v1.55')));
  t.false(hpeSmartStorage.applies({ ...UNKNOWN, firmware: 'iLO 5 v2.72' }));
  const disk = { model: 'EG000600', kind: 'hdd' } as const;
  const disks = [
    { ...disk, label: '1I-1-1', serialNumber: 'S1', sizeBytes: 1_172_123_568 * 512 },
    { ...disk, label: '1I-1-2', serialNumber: 'S2', sizeBytes: 1_172_123_568 * 512 },
  ];
  const lab = await redfishLab(t, {
    hardware: { vendor: 'HPE', bmcVersion: 'iLO 5 v2.72', disks },
    personality: { disksAt: 'smart-storage' },
  });
  const facts = await offered((await lab.open()).offers.facts).read(inTime());
  t.deepEqual(facts.disks, disks);
});
