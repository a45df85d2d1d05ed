import { readdirSync, readFileSync } from 'node:fs';
import { startLabProcess } from '../../deploy/start/lab-process.ts';
import { openStateDir } from '../../deploy/start/state-dir.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { needs } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { type LabProcess, labProcess } from '../support/lab-process.ts';
import { silentLog as log } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const need = needs('qemu', 'qemu-img', 'busybox', 'kernel', 'ipmitool');
const test = need.test;

const BOOT = { limitMs: 180_000 };

const saysPower = (lab: LabProcess, name: string, power: 'on' | 'off') =>
  eventually(
    async () => {
      const { output } = await lab.ipmitool(name, 'chassis', 'power', 'status');
      return output.includes(`Chassis Power is ${power}`);
    },
    { ...BOOT, message: `${name} is ${power}` },
  );

test('ipmitool and our Redfish driver power the same qemu of a rack of three', async (t) => {
  await using lab = await labProcess(need);
  const { servers, machines } = await lab.start();
  t.is(machines, 'qemu');
  t.deepEqual(
    servers.map(({ name, power }) => [name, power]),
    [
      ['r1u1', 'off'],
      ['r1u2', 'off'],
      ['r1u3', 'off'],
    ],
  );
  t.is(new Set(servers.map(({ name }) => lab.credentials(name).password)).size, 3);
  t.is((await lab.ipmitool('r1u2', 'chassis', 'power', 'on')).code, 0);
  await saysPower(lab, 'r1u2', 'on');
  t.not(await lab.qemu('r1u2'), null);
  t.is(await lab.qemu('r1u1'), null);
  const driver = createRedfishDriver({ clock });
  const { redfish: address } = lab.server('r1u2');
  const signal = AbortSignal.timeout(60_000);
  const bmc = await driver.open(
    { address, provider: 'r1u2', certificateSha256: '' },
    lab.credentials('r1u2'),
    signal,
  );
  const { power } = bmc.offers;
  if (power.kind === 'not_offered') return t.fail(power.why);
  t.is(await power.aspect.read(signal), 'on');
  await power.aspect.change('off', signal);
  await bmc.close(signal);
  await saysPower(lab, 'r1u2', 'off');
  t.is(await lab.qemu('r1u2'), null);
});

test('faults of one controller are switched on and off, and leave the others alone', async (t) => {
  await using lab = await labProcess(need);
  await lab.start('--simulated');
  const status = (name: string, ...patience: readonly string[]) =>
    lab.ipmitool(name, ...patience, 'chassis', 'status');
  t.is((await status('r1u2')).code, 0);
  const set = await lab.runm('lab', 'fault', 'r1u2', 'hang');
  t.is(set.code, 0, set.stderr);
  t.not((await status('r1u2', '-N', '1', '-R', '1')).code, 0);
  t.is((await status('r1u1')).code, 0);
  const shown = await lab.runm('lab', 'status');
  t.regex(shown.stdout, /r1u2 .* hang /);
  t.regex(shown.stderr, /servers are simulated: as was asked for/);
  t.is((await lab.runm('lab', 'fault', 'r1u2', 'none')).code, 0);
  t.is((await status('r1u2')).code, 0);
  t.is((await lab.runm('lab', 'fault', 'r1u9', 'hang')).code, 3);
});

test('a lab that is killed in the midst of a power change finishes it', async (t) => {
  await using lab = await labProcess(need);
  await lab.start();
  t.is((await lab.ipmitool('r1u1', 'chassis', 'power', 'on')).code, 0);
  await saysPower(lab, 'r1u1', 'on');
  const first = await lab.qemu('r1u1');
  t.is(first?.boot, 1);
  await lab.end('SIGKILL');
  t.deepEqual(await lab.qemu('r1u1'), first, 'it outlives the lab');
  await lab.start();
  await saysPower(lab, 'r1u1', 'on');
  t.deepEqual(await lab.qemu('r1u1'), first, 'and was found again');
  // Its steps: off, a pause of a second, on. Each time somewhere else between them.
  for (const [index, afterMs] of [0, 100, 400, 900, 1_500].entries()) {
    t.is((await lab.ipmitool('r1u1', 'chassis', 'power', 'cycle')).code, 0);
    await clock.sleep(afterMs);
    await lab.end('SIGKILL');
    await lab.start();
    await saysPower(lab, 'r1u1', 'on');
    await eventually(async () => (await lab.qemu('r1u1'))?.boot === index + 2, {
      message: `boot ${index + 2}, killed after ${afterMs} ms`,
    });
  }
  t.is((await lab.ipmitool('r1u1', 'chassis', 'power', 'off')).code, 0);
  await lab.end('SIGKILL');
  await lab.start();
  await saysPower(lab, 'r1u1', 'off');
  t.is(await lab.qemu('r1u1'), null);
});

test('a lab that is stopped takes its guests along, and boots them when it starts', async (t) => {
  await using lab = await labProcess(need);
  await lab.start();
  t.is((await lab.ipmitool('r1u3', 'chassis', 'power', 'on')).code, 0);
  await saysPower(lab, 'r1u3', 'on');
  await lab.end('SIGTERM');
  t.is(await lab.qemu('r1u3'), null);
  await lab.start();
  await saysPower(lab, 'r1u3', 'on');
  t.is((await lab.qemu('r1u3'))?.boot, 2);
});

test('a start that is interrupted while its lab comes up leaves no lab behind', async (t) => {
  using dir = temporaryDir();
  const interrupt = new AbortController();
  const labs = (): readonly string[] =>
    readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && readText(`/proc/${pid}/cmdline`).includes(dir.path),
    );
  const starting = startLabProcess({
    ...{ state: openStateDir(dir.path), toolsDir: dir.path, simulated: 'of a test', clock, log },
    signal: interrupt.signal,
  });
  t.is(labs().length, 1);
  interrupt.abort(new Error('interrupted'));
  await t.throwsAsync(starting, { message: 'interrupted' });
  t.deepEqual(labs(), []);
});

/** Empty where the process is gone by now. */
const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};
