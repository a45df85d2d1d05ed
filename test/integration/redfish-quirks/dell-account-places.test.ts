import test from 'ava';
import { dellAccountPlaces } from '../../../services/agent/drivers/redfish/quirks/dell-account-places.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('accounts of iDRAC 7 and 8 are places, those of later ones are not', (t) => {
  const product = 'Integrated Dell Remote Access Controller';
  const of = (manager: string) => ({
    ...UNKNOWN,
    vendor: 'Dell Inc.',
    product: `${product} ${manager}`,
  });
  t.true(dellAccountPlaces.applies(of('12G Monolithic')));
  t.true(dellAccountPlaces.applies(of('13G Monolithic')));
  t.false(dellAccountPlaces.applies(of('14G Monolithic')));
  t.false(dellAccountPlaces.applies({ ...UNKNOWN, product: '13G Monolithic' }));
});

test('an account goes into a free place without being posted first', async (t) => {
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Dell Inc.' },
    personality: { managerModel: '13G Monolithic', accountSlots: 'fixed' },
  });
  const accounts = offered((await lab.open()).offers.accounts);
  await accounts.put({ user: 'rotated', password: 'First-secret-1' }, inTime());
  await accounts.remove('rotated', inTime());
  const sent = lab.heard.filter(({ path }) => path.includes('/Accounts'));
  t.deepEqual([...new Set(sent.map(({ method }) => method))].toSorted(), ['GET', 'PATCH']);
  t.is(lab.server.accounts().length, 1);
});
