import test from 'ava';
import { lenovoMediaDrives } from '../../../services/agent/drivers/redfish/quirks/lenovo-media-drives.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('a medium goes into the drive of an XCC that takes URLs', async (t) => {
  const product = 'Lenovo XClarity Controller';
  t.true(lenovoMediaDrives.applies({ ...UNKNOWN, vendor: 'Lenovo', product }));
  t.false(
    lenovoMediaDrives.applies({ ...UNKNOWN, vendor: 'Lenovo', product: 'AMI Redfish Server' }),
  );
  const lab = await redfishLab(t, {
    hardware: { vendor: 'Lenovo' },
    personality: {
      ...{ managerModel: product, mediaBy: 'patch', otherDrives: ['RDOC1'], drive: 'EXT1' },
      mediaNeeds: ['Inserted', 'WriteProtected'],
    },
  });
  await offered((await lab.open()).offers.media).insert('http://127.0.0.1/one.iso', inTime());
  t.is(lab.server.media(), 'http://127.0.0.1/one.iso');
  const written = lab.heard.filter(({ method }) => method === 'PATCH').map(({ path }) => path);
  t.deepEqual(written, ['/redfish/v1/Managers/bmc/VirtualMedia/EXT1']);
});
