import test from 'ava';
import { nvidiaBaseboard } from '../../../services/agent/drivers/redfish/quirks/nvidia-baseboard.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';
import { UNKNOWN } from './identity.ts';

test('the baseboard of a DGX is not taken for the machine, and not asked', async (t) => {
  const systems = ['/redfish/v1/Systems/DGX', '/redfish/v1/Systems/HGX_Baseboard_0'];
  t.true(nvidiaBaseboard.applies({ ...UNKNOWN, systems }));
  t.false(nvidiaBaseboard.applies(UNKNOWN));
  const lab = await redfishLab(t, { personality: { partialSystem: 'HGX_Baseboard_0' } });
  t.is(await offered((await lab.open()).offers.power).read(inTime()), 'off');
  t.false(lab.heard.some(({ path }) => path.includes('HGX')));
});
