import test from 'ava';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

const temperatureOf = async (t: Parameters<typeof ipmiOf>[0], vendor: string, model: string) => {
  const personality = { scanningBit: 'never' } as const;
  const { bmc } = await ipmiOf(t, { hardware: { vendor, model }, personality });
  const sensors = await aspectOf(bmc, 'sensors').read(AbortSignal.timeout(60_000));
  return { bmc, value: sensors.find(({ name }) => name === 'Inlet Temp')?.value };
};

test('readings of a PowerEdge R610 are believed although they are "not scanned"', async (t) => {
  const { bmc, value } = await temperatureOf(t, 'Dell Inc.', 'PowerEdge R610');
  t.true(bmc.quirks.includes('dell-scanning-bit'));
  t.true((value ?? 0) > 15);
});

test('of another machine such readings are not believed', async (t) => {
  const { bmc, value } = await temperatureOf(t, 'Dell Inc.', 'PowerEdge R640');
  t.false(bmc.quirks.includes('dell-scanning-bit'));
  t.is(value, undefined);
});
