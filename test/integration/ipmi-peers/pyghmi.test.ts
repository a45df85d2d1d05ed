import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Bmc, BmcError } from '../../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../../services/agent/drivers/ipmi/driver.ts';
import { ipmiAnswers } from '../../../services/agent/drivers/presence/ipmi-presence.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { aspectOf } from '../../contract/bmc-contract.suite.ts';
import { needs } from '../../needs.ts';
import { eventually } from '../../support/eventually.ts';
import { freeUdpPort } from '../../support/free-port.ts';
import { LAB_CREDENTIALS, startIpmiLab } from '../../support/ipmi-lab.ts';
import { run } from '../../support/run.ts';

/** Both ways with pyghmi, of which VirtualBMC is made, too. */
const need = needs('python3-pyghmi');
const { test } = need;
const limit = () => AbortSignal.timeout(60_000);
const driver = createIpmiDriver({ clock, random, settleMs: 5_000 });

const USER = { user: 'admin', password: 'lab-secret' };

const startController = async (t: ExecutionContext<unknown>): Promise<number> => {
  const { path, env } = need.program('python3-pyghmi');
  const port = await freeUdpPort();
  const file = join(import.meta.dirname, 'pyghmi-bmc.py');
  const child: ChildProcess = spawn(path, [file, USER.user, String(port)], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  child.stdin?.end(`${USER.password}\n`);
  await eventually(() => ipmiAnswers('127.0.0.1', port, AbortSignal.timeout(300)), {
    message: 'the controller answers',
  });
  return port;
};

const openAt = async (t: ExecutionContext<unknown>, port: number): Promise<Bmc> => {
  const at = { address: `127.0.0.1:${port}`, provider: 'r1u1', certificateSha256: '' };
  const bmc = await driver.open(at, USER, limit());
  t.teardown(() => bmc.close(limit()));
  return bmc;
};

test('a controller of pyghmi is switched, told its boot device and typed at', async (t) => {
  const bmc = await openAt(t, await startController(t));
  const power = aspectOf(bmc, 'power');
  t.is(await power.read(limit()), 'off');
  await power.change('on', limit());
  t.is(await power.read(limit()), 'on');
  const boot = aspectOf(bmc, 'bootDevice');
  await boot.set({ device: 'network', persistent: false, mode: 'legacy' }, limit());
  t.is((await boot.read(limit())).device, 'network');
  const stream = await aspectOf(bmc, 'console').open(limit());
  let heard = '';
  void (async () => {
    for await (const bytes of stream.output) heard += Buffer.from(bytes).toString('latin1');
  })();
  await stream.write(Buffer.from('hello\r'));
  await eventually(() => heard.includes('HELLO'), { message: 'the answer' });
  await stream.close();
  await power.change('off', limit());
});

test('a boot mode that a controller does not know is told as not kept', async (t) => {
  const bmc = await openAt(t, await startController(t));
  const choice = { device: 'disk', persistent: false, mode: 'uefi' } as const;
  const setting = aspectOf(bmc, 'bootDevice').set(choice, limit());
  const error = await t.throwsAsync(setting, { instanceOf: BmcError });
  t.is(error.fault, 'not_applied');
  t.regex(error.message, /took boot device disk by UEFI and says disk by legacy boot/);
});

test('pyghmi reads a server of ours whole and changes what can be changed', async (t) => {
  await using lab = await startIpmiLab();
  lab.server.addLog({ severity: 'critical', message: 'Power was lost' });
  const { path, env } = need.program('python3-pyghmi');
  const ended = await run(path, {
    args: [join(import.meta.dirname, 'pyghmi-day.py')],
    env,
    stdin: JSON.stringify({ port: lab.port, ...LAB_CREDENTIALS }),
  });
  t.is(ended.code, 0, ended.stderr);
  const { hardware } = lab.server;
  t.like(JSON.parse(ended.stdout), {
    ...{ before: 'off', after: 'off', log: ['Health'], guest: 'operator' },
    boot: { bootdev: 'network', persistent: false, uefimode: true },
    ...{ system: hardware.serialNumber, mac: hardware.bmcMac, users: [LAB_CREDENTIALS.user] },
  });
  const { sensors } = JSON.parse(ended.stdout);
  for (const { name } of lab.server.sensors()) t.true(name in sensors, name);
  t.deepEqual(lab.server.boot(), { device: 'network', persistent: false, mode: 'uefi' });
});
