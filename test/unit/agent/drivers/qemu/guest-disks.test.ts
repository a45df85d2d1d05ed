import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import {
  prepareInitrd,
  withBootToken,
} from '../../../../../services/agent/drivers/qemu/guest-disks.ts';
import { guestPaths } from '../../../../../services/agent/drivers/qemu/guest-record.ts';
import { decodeNewc, encodeNewc } from '../../../../../services/agent/drivers/qemu/newc.ts';
import { guestSpec } from '../../../../support/guest-spec.ts';
import { temporaryDir } from '../../../../support/temporary-dir.ts';

for (const length of [0, 1, 2, 3, 4, 5]) {
  test(`the token's archive after ${length} bytes of initrd begins on a 4 byte boundary`, (t) => {
    const whole = withBootToken(Buffer.alloc(length, 7), 'secret');
    const start = Math.ceil(length / 4) * 4;
    t.deepEqual(
      [...whole.subarray(0, start)],
      [...Array(length).fill(7), ...Array(start - length).fill(0)],
    );
    t.deepEqual(decodeNewc(whole.subarray(start)), [
      { kind: 'directory', path: 'run', mode: 0o755 },
      { kind: 'file', path: 'run/boot-token', mode: 0o600, content: Buffer.from('secret') },
    ]);
  });
}

test('the initrd with the token is for its owner only and for one boot', async (t) => {
  using dir = temporaryDir();
  const initrdPath = join(dir.path, 'initrd');
  await writeFile(initrdPath, encodeNewc([]));
  const spec = guestSpec({
    boot: { kind: 'kernel', kernelPath: '/k', initrdPath, commandLine: '' },
  });
  const paths = { ...guestPaths(dir.path, dir.path, 'g'), tokenInitrd: join(dir.path, 'i') };
  for (const token of ['first-token', 'second-token']) {
    const path = await prepareInitrd(spec, { counter: 1, token }, paths);
    t.is(path, paths.tokenInitrd);
    t.is((await stat(paths.tokenInitrd)).mode & 0o777, 0o600);
    t.true((await readFile(paths.tokenInitrd)).includes(token));
  }
  t.false((await readFile(paths.tokenInitrd)).includes('first-token'));
});

test('without a token the image’s own initrd is used', async (t) => {
  const paths = guestPaths('/g', '/s', 'g');
  const boot = { kind: 'kernel', kernelPath: '/k', initrdPath: '/own', commandLine: '' } as const;
  t.is(await prepareInitrd(guestSpec({ boot }), { counter: 1, token: null }, paths), '/own');
  const network = guestSpec({ boot: { kind: 'network' } });
  t.is(await prepareInitrd(network, { counter: 1, token: 'x' }, paths), null);
});
