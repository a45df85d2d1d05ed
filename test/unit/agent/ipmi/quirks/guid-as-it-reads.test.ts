import test from 'ava';
import { guidOf } from '../../../../../deploy/lab/ipmi/guid.ts';
import { uuidOf } from '../../../../../services/agent/drivers/ipmi/records/guid.ts';
import { aspectOf } from '../../../../contract/bmc-contract.suite.ts';
import { ipmiOf } from '../../../../support/ipmi-quirk.ts';

/** Read in the order of the specification it would look like a UUID, too. */
const UUID = '4c4c4544-0033-1080-9036-a4c04f32434a';

test('the GUID of a Dell is read as its bytes stand', async (t) => {
  t.not(uuidOf(guidOf(UUID, 'rfc')), UUID);
  const { bmc } = await ipmiOf(t, {
    hardware: { vendor: 'Dell Inc.', model: 'PowerEdge R640', uuid: UUID },
    personality: { guidOrder: 'rfc' },
  });
  t.deepEqual(bmc.quirks, ['guid-as-it-reads']);
  const facts = await aspectOf(bmc, 'facts').read(AbortSignal.timeout(60_000));
  t.is(facts.smbiosUuid, UUID);
});

test('of another make the order of the specification is tried first', async (t) => {
  const { bmc, lab } = await ipmiOf(t, {});
  t.deepEqual(bmc.quirks, []);
  const facts = await aspectOf(bmc, 'facts').read(AbortSignal.timeout(60_000));
  t.is(facts.smbiosUuid, lab.server.hardware.uuid);
});
