import test from 'ava';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

const namesOf = async (t: Parameters<typeof ipmiOf>[0], model: string) => {
  const hardware = { vendor: 'FUJITSU', model };
  const { bmc } = await ipmiOf(t, { hardware, personality: { sensorOwner: 0x2c } });
  const sensors = await aspectOf(bmc, 'sensors').read(AbortSignal.timeout(60_000));
  return { bmc, names: sensors.map(({ name }) => name) };
};

test('sensors of an RX300 are its own whoever their records name', async (t) => {
  const { bmc, names } = await namesOf(t, 'PRIMERGY RX300 S2');
  t.deepEqual(bmc.quirks, ['fujitsu-sensor-owner']);
  t.true(names.includes('Inlet Temp'));
});

test('of another machine sensors of others are left out', async (t) => {
  const { bmc, names } = await namesOf(t, 'PRIMERGY RX2540 M5');
  t.deepEqual(bmc.quirks, []);
  t.deepEqual(names, ['Health']);
});
