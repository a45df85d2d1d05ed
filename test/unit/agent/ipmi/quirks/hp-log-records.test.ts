import test from 'ava';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

const entryOf = async (t: Parameters<typeof ipmiOf>[0], model: string) => {
  const hardware = { vendor: 'HP', model };
  const { bmc, lab } = await ipmiOf(t, { hardware, personality: { logRecordType: 0x03 } });
  lab.server.addLog({ severity: 'critical', message: 'Power was lost' });
  const [entry] = await aspectOf(bmc, 'log').read(10, AbortSignal.timeout(60_000));
  return { bmc, entry };
};

test('log records of a DL380 G5 are events whatever type they have', async (t) => {
  const { bmc, entry } = await entryOf(t, 'ProLiant DL380 G5');
  t.deepEqual(bmc.quirks, ['hp-log-records']);
  t.is(entry?.severity, 'critical');
  t.is(entry?.message, 'Health (system event): critical from less severe');
});

test('of another machine records of an unknown type are shown as they are', async (t) => {
  const { bmc, entry } = await entryOf(t, 'ProLiant DL380 Gen10');
  t.deepEqual(bmc.quirks, []);
  t.regex(entry?.message ?? '', /^OEM record 03h/);
});
