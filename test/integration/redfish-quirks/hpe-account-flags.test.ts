import test from 'ava';
import { hpeAccountFlags } from '../../../services/agent/drivers/redfish/quirks/hpe-account-flags.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('an account of iLO 4 is an administrator by its flags', async (t) => {
  t.true(hpeAccountFlags.applies({ ...UNKNOWN, vendor: 'HP', firmware: 'iLO 4 v2.10' }));
  t.false(hpeAccountFlags.applies({ ...UNKNOWN, vendor: 'HPE', firmware: 'iLO 5 v2.72' }));
  t.false(hpeAccountFlags.applies(UNKNOWN));
  const lab = await redfishLab(t, {
    hardware: { vendor: 'HPE', bmcVersion: 'iLO 4 v2.82' },
    personality: { accountsLack: 'flags' },
  });
  lab.server.putAccount({
    ...{ slot: 3, user: 'guest', password: 'x', enabled: true, privilege: 'operator' },
  });
  const accounts = offered((await lab.open()).offers.accounts);
  const told = await accounts.list(inTime());
  t.deepEqual(
    told.map(({ privilege }) => privilege),
    ['administrator', 'operator'],
  );
  await accounts.put({ user: 'guest', password: 'Other-secret-2' }, inTime());
  t.like(lab.server.accounts()[1], { privilege: 'administrator', password: 'Other-secret-2' });
});
