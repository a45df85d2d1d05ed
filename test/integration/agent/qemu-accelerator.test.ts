import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findAcceleration, qemuVersion } from '../../../services/agent/drivers/qemu/accelerator.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { needs, slot } from '../../needs.ts';
import { labLinux } from '../../support/lab-linux.ts';
import { silentLog as log } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const need = needs('qemu', 'busybox', 'kernel');
const test = need.test;

const trial = async (kernelPath?: string) => {
  const { kernel } = await labLinux(need.program('kernel'), need.program('busybox'));
  return { qemu: need.program('qemu'), kernelPath: kernelPath ?? kernel.path, clock, log };
};

test('an accelerator is named only after a kernel has started on it', async (t) => {
  using _slot = await slot('guest');
  const found = await findAcceleration(await trial());
  t.is(found.emulated, found.accelerator === 'tcg');
  t.true(found.firstLineMs > 0);
  t.true(found.why.includes('/dev/kvm'), found.why);
});

test('a host without KVM emulates and says why', async (t) => {
  using _slot = await slot('guest');
  const found = await findAcceleration({ ...(await trial()), kvmDevice: '/nowhere/kvm' });
  t.like(found, { accelerator: 'tcg', emulated: true, why: 'this host has no /nowhere/kvm' });
});

test('a KVM device that opens and does not work is not believed', async (t) => {
  using _slot = await slot('guest');
  // A limit of nothing stands for a KVM on which no kernel ever speaks.
  const deaf = { ...(await trial()), kvmDevice: '/dev/null', kvmLimitMs: 0 };
  const found = await findAcceleration(deaf);
  t.like(found, { accelerator: 'tcg', emulated: true });
  t.true(found.why.startsWith('/dev/null is there, but no kernel starts on it'), found.why);
});

test('where no kernel boots at all, the error says what qemu said', async (t) => {
  using _slot = await slot('guest');
  using dir = temporaryDir();
  const kernelPath = join(dir.path, 'kernel');
  await writeFile(kernelPath, 'no kernel');
  const setting = { ...(await trial(kernelPath)), kvmLimitMs: 200, tcgLimitMs: 2_000 };
  t.like(await t.throwsAsync(findAcceleration(setting)), { reason: 'QEMU_UNUSABLE' });
});

test('the version of qemu is read, and a missing qemu is told', async (t) => {
  t.regex(await qemuVersion(need.program('qemu'), { clock }), /^\d+\.\d+/);
  const missing = { path: '/nowhere/qemu', args: [], env: {} };
  t.like(await t.throwsAsync(qemuVersion(missing, { clock })), { reason: 'QEMU_UNUSABLE' });
});
