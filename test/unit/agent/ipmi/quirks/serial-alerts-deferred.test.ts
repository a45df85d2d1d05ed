import test from 'ava';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { eventually } from '../../../../support/eventually.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

const consoleOf = async (t: Parameters<typeof ipmiOf>[0], model: string) => {
  const hardware = { vendor: 'Wiwynn', model };
  const { bmc, lab } = await ipmiOf(t, { hardware, personality: { serialAlerts: 'deferred' } });
  await lab.server.changePower('on');
  await eventually(() => lab.server.power() === 'on', { message: 'power on' });
  const stream = await aspectOf(bmc, 'console').open(AbortSignal.timeout(10_000));
  t.teardown(() => stream.close());
  return { bmc, stream };
};

test('what is typed at a Winterfell is acknowledged', async (t) => {
  const { bmc, stream } = await consoleOf(t, 'Winterfell');
  t.deepEqual(bmc.quirks, ['serial-alerts-deferred']);
  await stream.write(Buffer.from('hello\r'));
});

test('without the quirk it would not be', async (t) => {
  const { bmc, stream } = await consoleOf(t, 'Another');
  t.deepEqual(bmc.quirks, []);
  await t.throwsAsync(stream.write(Buffer.from('hello\r')), { message: /does not take/ });
});
