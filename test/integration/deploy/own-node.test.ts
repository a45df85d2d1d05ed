import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { bringLibatomic, ownNodeState } from '../../../deploy/own-node.mjs';
import { needs } from '../../needs.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const test = needs('apt').test;

test('a Node.js without its library gets one beside the packages, and so do its children', (t) => {
  using dir = temporaryDir();
  mkdirSync(join(dir.path, '.bin'));
  const ownNode = join(dir.path, '.bin', 'node');
  t.is(ownNodeState(ownNode), 'absent');
  const real = spawnSync('node', ['-p', 'require("fs").realpathSync("/proc/self/exe")']);
  symlinkSync(real.stdout.toString().trim(), ownNode);

  t.is(bringLibatomic(dir.path), undefined);

  t.true(existsSync(join(dir.path, '.lib', 'libatomic.so.1')));
  const run = (code: string): string => {
    const result = spawnSync(ownNode, ['-p', code], { encoding: 'utf8', env: {} });
    return result.stdout.trim() || result.stderr;
  };
  const wrapper = join(realpathSync(dir.path), '.bin', 'node');
  t.is(run('process.execPath'), wrapper);
  t.true(run('process.env.LD_LIBRARY_PATH').endsWith('/.lib'));
  const inner = `require('child_process')
    .spawnSync(process.execPath, ['-p', '6 * 7'], { env: {} }).stdout.toString()`;
  t.is(run(inner), '42');
});
