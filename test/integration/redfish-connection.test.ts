import test from 'ava';
import { BmcError } from '../../services/agent/bmc-port.ts';
import { inTime, offered, redfishLab, USER } from '../support/redfish-lab.ts';

test('a controller is reached by its links, and its session ends with the line', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  t.is(bmc.driver, 'redfish');
  t.is(bmc.vendor, lab.server.hardware.vendor);
  t.is(bmc.model, lab.server.hardware.model);
  t.is(bmc.firmware, lab.server.hardware.bmcVersion);
  t.is(bmc.certificateSha256, lab.address.certificateSha256);
  t.is(lab.service.guard.sessions().length, 1);
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
  await bmc.close(inTime());
  t.deepEqual(lab.service.guard.sessions(), []);
});

test('power is switched and seen before the driver answers', async (t) => {
  const lab = await redfishLab(t);
  const power = offered((await lab.open()).offers.power);
  await power.change('on', inTime());
  t.is(lab.server.power(), 'on');
  t.is(await power.read(inTime()), 'on');
  await power.change('off', inTime());
  t.is(lab.server.power(), 'off');
});

test('a wrong password is tried once', async (t) => {
  const lab = await redfishLab(t);
  const error = await t.throwsAsync(lab.open({ ...USER, password: 'wrong' }), {
    instanceOf: BmcError,
  });
  t.is(error.fault, 'unauthorized');
  t.is(lab.service.guard.refusals(), 1);
});
