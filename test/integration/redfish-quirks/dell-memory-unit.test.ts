import test from 'ava';
import { dellMemoryUnit } from '../../../services/agent/drivers/redfish/quirks/dell-memory-unit.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

const GIBIBYTE = 2 ** 30;
const module = (label: string, gibibytes: number) => ({ label, sizeBytes: gibibytes * GIBIBYTE });

test('the memory of a Dell is what is in it, divided rightly or not', async (t) => {
  t.true(dellMemoryUnit.applies({ ...UNKNOWN, vendor: 'Dell' }));
  t.false(dellMemoryUnit.applies(UNKNOWN));
  for (const gibibytes of [64, 192, 384]) {
    for (const personality of [{ memoryUnit: 'decimal' }, {}] as const) {
      const memory = [module('A1', gibibytes / 2), module('B1', gibibytes / 2)];
      const lab = await redfishLab(t, { hardware: { vendor: 'Dell Inc.', memory }, personality });
      const facts = await offered((await lab.open()).offers.facts).read(inTime());
      t.is(facts.memoryBytes, gibibytes * GIBIBYTE);
    }
  }
});
