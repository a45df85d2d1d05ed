import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { needs } from '../../needs.ts';
import { eventually } from '../../support/eventually.ts';
import { guestSpec } from '../../support/guest-spec.ts';
import { bootOf, labLinux } from '../../support/lab-linux.ts';
import { qemuHost } from '../../support/qemu-host.ts';

const need = needs('qemu', 'qemu-img', 'busybox', 'kernel');
const test = need.test;

const PROGRAM = join(import.meta.dirname, '../../support/qemu-supervisor.ts');
const BOOT = { limitMs: 180_000 };

test('a guest outlives the kill of who started it, and the next one goes on with it', async (t) => {
  const image = await labLinux(need.program('kernel'), need.program('busybox'));
  await using host = await qemuHost(need);
  const spec = guestSpec({ boot: bootOf(image, 'runm.hostname=demo') });
  const { clock: _clock, log: _log, ...deps } = host.deps;
  const order = JSON.stringify({ deps, spec, boot: { counter: 3, token: null } });
  const supervisor = spawn(process.execPath, [PROGRAM, order], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  supervisor.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const pid = Number(await eventually(() => /pid (\d+)/.exec(said)?.[1], BOOT));
  await eventually(() => said.includes('kernel-line'), BOOT);
  const ended = once(supervisor, 'exit');
  supervisor.kill('SIGKILL');
  await ended;

  const driver = host.newDriver();
  t.like((await driver.list()).guests[0], { name: spec.name, pid, bootCounter: 3 });
  await eventually(() => host.kinds().includes('started'));
  const started = host.events.find((event) => event.kind === 'started');
  t.like(started, { kind: 'started', adopted: true, pid });
  await eventually(async () => (await host.output(spec.name)).includes('demo:/root# '), BOOT);
  t.true((await host.output(spec.name)).includes('Linux version'), 'the log has the whole boot');
  await host.type(spec.name, 'echo "still-$((40+2))"\r');
  await eventually(async () => (await host.output(spec.name)).includes('still-42'));
  const stopped = await driver.stop(spec.name, { gracefulMs: 60_000 });
  t.like(stopped, { power: 'off', exit: { kind: 'powered_down' } });
});
