import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import {
  identifyByPidFile,
  identifyProcess,
  isRunning,
  type ProcessIdentity,
  signalProcess,
} from '../../../services/agent/drivers/qemu/process.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

type Sleeper = Disposable & { child: ChildProcess; identity: ProcessIdentity };

/** A process that does nothing for as long as the test runs. */
const sleeper = async (...more: readonly string[]): Promise<Sleeper> => {
  const idle = 'setInterval(() => {}, 1e9)';
  const child = spawn(process.execPath, ['-e', idle, '--', ...more], { stdio: 'ignore' });
  const identity = await identifyProcess(child.pid ?? -1);
  if (identity === null) throw new Error('it did not start');
  return { child, identity, [Symbol.dispose]: () => void child.kill('SIGKILL') };
};

test('a process is known by pid and start time', async (t) => {
  using it = await sleeper();
  t.deepEqual(await identifyProcess(it.identity.pid), it.identity);
  t.true(await isRunning(it.identity));
  t.not((await identifyProcess(process.pid))?.startTicks, it.identity.startTicks);
});

for (const other of [{ startTicks: '1' }, { hostBootId: 'another boot' }]) {
  test(`a process of ${JSON.stringify(other)} is another one and never signalled`, async (t) => {
    using it = await sleeper();
    const stranger = { ...it.identity, ...other };
    t.false(await isRunning(stranger));
    t.false(await signalProcess(stranger, 'SIGKILL'));
    t.true(await isRunning(it.identity));
  });
}

test('a signalled process ends, and signalling it again does nothing', async (t) => {
  using it = await sleeper();
  t.true(await signalProcess(it.identity, 'SIGKILL'));
  await eventually(async () => !(await isRunning(it.identity)));
  t.false(await signalProcess(it.identity, 'SIGKILL'));
  t.is(await identifyProcess(it.identity.pid), null);
});

test('a pid file is believed only if the process was started with it', async (t) => {
  using dir = temporaryDir();
  const pidFile = join(dir.path, 'pid');
  t.is(await identifyByPidFile(pidFile), null);
  using ours = await sleeper('-pidfile', pidFile);
  using stranger = await sleeper();
  await writeFile(pidFile, `${ours.identity.pid}\n`);
  // Right after the fork, the child still has its parent's arguments.
  t.deepEqual(await eventually(() => identifyByPidFile(pidFile)), ours.identity);
  await writeFile(pidFile, `${stranger.identity.pid}\n`);
  t.is(await identifyByPidFile(pidFile), null);
  await writeFile(pidFile, 'nonsense');
  t.is(await identifyByPidFile(pidFile), null);
});
