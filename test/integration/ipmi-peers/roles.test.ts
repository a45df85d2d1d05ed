import test from 'ava';
import { createIpmiDriver } from '../../../services/agent/drivers/ipmi/driver.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { aspectOf } from '../../contract/bmc-contract.suite.ts';
import { startIpmiLab } from '../../support/ipmi-lab.ts';

const driver = createIpmiDriver({ clock, random, settleMs: 5_000 });
const limit = () => AbortSignal.timeout(60_000);

for (const roleCheck of ['at sign-in', 'late'] as const) {
  test(`an operator switches where roles are checked ${roleCheck}`, async (t) => {
    await using lab = await startIpmiLab({ personality: { roleCheck } });
    const operator = { user: 'night-shift', password: 'switches-only' };
    lab.server.putAccount({ slot: 5, ...operator, enabled: true, privilege: 'operator' });
    const at = { address: lab.address, provider: 'r1u1', certificateSha256: '' };
    const bmc = await driver.open(at, operator, limit());
    await aspectOf(bmc, 'power').change('on', limit());
    t.is(lab.server.power(), 'on');
    t.like(bmc.offers.accounts, { kind: 'not_offered', why: 'The user is no administrator' });
    t.is(lab.refusals(), 0);
    await bmc.close(limit());
  });
}
