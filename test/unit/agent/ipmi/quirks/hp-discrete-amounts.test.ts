import test from 'ava';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

const inletOf = async (t: Parameters<typeof ipmiOf>[0], model: string) => {
  const hardware = { vendor: 'HP', model };
  const { bmc } = await ipmiOf(t, { hardware, personality: { amounts: 'discrete' } });
  const sensors = await aspectOf(bmc, 'sensors').read(AbortSignal.timeout(60_000));
  return { bmc, inlet: sensors.find(({ name }) => name === 'Inlet Temp') };
};

test('a DL380 G7 tells amounts by sensors that should have states', async (t) => {
  const { bmc, inlet } = await inletOf(t, 'ProLiant DL380 G7');
  t.deepEqual(bmc.quirks, ['hp-discrete-amounts']);
  t.true((inlet?.value ?? 0) > 15);
  t.is(inlet?.unit, 'Cel');
});

test('of another machine a sensor with states has no amount', async (t) => {
  const { bmc, inlet } = await inletOf(t, 'ProLiant DL380 Gen10');
  t.deepEqual(bmc.quirks, []);
  t.is(inlet?.value, undefined);
  t.is(inlet?.unit, '');
});
