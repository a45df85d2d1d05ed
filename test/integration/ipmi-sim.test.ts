import { type BmcCredentials, BmcError } from '../../services/agent/bmc-port.ts';
import { createPowerAspect } from '../../services/agent/drivers/ipmi/aspects/power.ts';
import { createConnector } from '../../services/agent/drivers/ipmi/session/connect.ts';
import { createLink, type Link } from '../../services/agent/drivers/ipmi/session/link.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { needs } from '../needs.ts';
import { type IpmiSim, SIM_CREDENTIALS, startIpmiSim } from '../support/ipmi-sim.ts';

const need = needs('openipmi');
const test = need.test;
const program = () => need.program('ipmi_sim');
const limit = () => AbortSignal.timeout(60_000);

const linkTo = async (
  sim: IpmiSim,
  credentials: BmcCredentials = SIM_CREDENTIALS,
): Promise<Link> => {
  const address = { address: sim.address, provider: 'r1u1', certificateSha256: '' };
  const connector = createConnector({ clock, random }, address);
  const connect = (signal: AbortSignal) => connector.connect(credentials, signal);
  return createLink({ clock, provider: 'r1u1', connect }, await connect(limit()));
};

test('a server of ipmi_sim is switched on and off, and each is read back', async (t) => {
  await using sim = await startIpmiSim({ program: program() });
  const link = await linkTo(sim);
  const power = createPowerAspect({ clock, link, settleMs: 10_000 });
  t.is(await power.read(limit()), 'off');
  await power.change('on', limit());
  t.true(sim.isOn());
  await power.change('on', limit());
  t.is(await power.read(limit()), 'on');
  await power.change('off', limit());
  t.false(sim.isOn());
  await power.change('cycle', limit());
  t.true(sim.isOn());
  await link.close(limit());
});

test('a controller that was restarted is signed in to again', async (t) => {
  await using sim = await startIpmiSim({ program: program() });
  const link = await linkTo(sim);
  const power = createPowerAspect({ clock, link, settleMs: 10_000 });
  await power.change('on', limit());
  await sim.restart();
  t.is(await power.read(limit()), 'on');
  await link.close(limit());
});

test('a controller that is gone is unreachable', async (t) => {
  await using sim = await startIpmiSim({ program: program() });
  const link = await linkTo(sim);
  await sim.kill();
  const power = createPowerAspect({ clock, link, settleMs: 10_000 });
  const error = await t.throwsAsync(power.read(limit()), { instanceOf: BmcError });
  t.is(error?.fault, 'unreachable');
  await link.close(limit());
});

test('a wrong password is unauthorized and not in the message', async (t) => {
  await using sim = await startIpmiSim({ program: program() });
  const wrong = { user: 'admin', password: 'not-the-secret' };
  const error = await t.throwsAsync(linkTo(sim, wrong), { instanceOf: BmcError });
  t.is(error?.fault, 'unauthorized');
  t.false(error?.message.includes('not-the-secret'));
  const nobody = { user: 'nobody', password: 'secret' };
  const unknown = await t.throwsAsync(linkTo(sim, nobody), { instanceOf: BmcError });
  t.is(unknown?.fault, 'unauthorized');
});
