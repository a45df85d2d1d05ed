import test from 'ava';
import { dellServiceTag } from '../../../services/agent/drivers/redfish/quirks/dell-service-tag.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('the serial number of a Dell is its service tag', async (t) => {
  t.true(dellServiceTag.applies({ ...UNKNOWN, vendor: 'Dell' }));
  t.false(dellServiceTag.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Dell Inc.' },
    personality: { serialAt: 'SKU' },
  });
  const facts = await offered((await lab.open()).offers.facts).read(inTime());
  t.is(facts.serialNumber, lab.server.hardware.serialNumber);
});
