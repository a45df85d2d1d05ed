/**
 * A second and a third host join by pasting one line, in a network where there is nothing but the
 * control plane, and share the work at a controller; either may die.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { needs } from '../../needs.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const need = needs('busybox');
const test = need.test;
const BUILD = join(import.meta.dirname, '../../../deploy/agent-bundle/build.ts');
const CHILD = join(import.meta.dirname, '../../support/second-host-child.ts');

/** Where users may have networks of their own, there is not even a route to anywhere else. */
const networkOfItsOwn = (): readonly string[] => {
  const busybox = need.program('busybox');
  const up = `"${busybox.path}" ip link set lo up`;
  const tried = spawnSync('unshare', ['-rn', 'sh', '-c', up], { timeout: 10_000 });
  return tried.status === 0 ? ['unshare', '-rn', 'sh', '-c', `${up} && exec "$@"`, 'sh'] : [];
};

test('hosts join by one line without a registry, and each does the work of the other', async (t) => {
  t.timeout(900_000);
  using dir = temporaryDir();
  const bundles = join(dir.path, 'bundles');
  const built = spawnSync(process.execPath, [BUILD, bundles], { timeout: 240_000 });
  t.is(built.status, 0, built.stderr.toString());
  const isolation = networkOfItsOwn();
  if (isolation.length === 0) t.log('no network of its own here: it runs on the loopback of all');
  const command = [...isolation, process.execPath, CHILD, dir.path, bundles];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stderr.on('data', (piece: Buffer) => {
    output += piece.toString();
  });
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString();
  });
  t.teardown(() => child.kill('SIGKILL'));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) t.log(output.slice(-6_000));
  t.is(code, 0);
  const seen = new Map<string, unknown>(
    output
      .split('\n')
      .filter((line) => line.startsWith('{"seen"'))
      .map((line) => JSON.parse(line))
      .map(({ seen: what, data }) => [what, data]),
  );
  if (isolation.length > 0) t.deepEqual(seen.get('interfaces'), ['lo']);
  t.deepEqual(seen.get('files'), [true, true, true]);
  t.is(seen.get('another CA'), 1);
  t.true(output.includes('ca.pem is not the one that was meant'));
  t.deepEqual(seen.get('power'), [PowerState.ON, 'on']);
  t.deepEqual(seen.get('created'), [1, 'on']);
  for (const id of ['one', 'two']) {
    t.deepEqual(seen.get(`without ${id}`), [PowerState.OFF, 'off']);
    t.deepEqual(seen.get(`on without ${id}`), [PowerState.ON, 'on']);
    t.true(seen.get(`${id} is back`));
    t.deepEqual(seen.get(`reset without ${id}`), [1, 'on']);
  }
});
