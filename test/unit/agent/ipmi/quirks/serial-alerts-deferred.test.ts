import test from 'ava';
import { type Clock, systemClock } from '../../../../../services/runtime/clock.ts';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { eventually } from '../../../../support/eventually.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

/** The real clock until it is told to run through all waits. */
const hastyClock = (): Clock & { readonly hurry: (isHurried: boolean) => void } => {
  let divisor = 1;
  return {
    ...systemClock,
    sleep: (ms, signal) => systemClock.sleep(ms / divisor, signal),
    hurry: (isHurried) => {
      divisor = isHurried ? 20 : 1;
    },
  };
};

const consoleOf = async (t: Parameters<typeof ipmiOf>[0], model: string) => {
  const hardware = { vendor: 'Wiwynn', model };
  const clock = hastyClock();
  const options = { hardware, personality: { serialAlerts: 'deferred' } } as const;
  const { bmc, lab } = await ipmiOf(t, options, clock);
  await lab.server.changePower('on');
  await eventually(() => lab.server.power() === 'on', { message: 'power on' });
  const stream = await aspectOf(bmc, 'console').open(AbortSignal.timeout(60_000));
  t.teardown(() => stream.close());
  return { bmc, stream, clock };
};

test('what is typed at a Winterfell is acknowledged', async (t) => {
  const { bmc, stream } = await consoleOf(t, 'Winterfell');
  t.deepEqual(bmc.quirks, ['serial-alerts-deferred']);
  await stream.write(Buffer.from('hello\r'));
});

test('without the quirk it would not be', async (t) => {
  const { bmc, stream, clock } = await consoleOf(t, 'Another');
  t.deepEqual(bmc.quirks, []);
  clock.hurry(true);
  await t.throwsAsync(stream.write(Buffer.from('hello\r')), { message: /does not take/ });
  clock.hurry(false);
});
