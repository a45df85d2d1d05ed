import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { systemdUnit } from '../../../services/agent/systemd-unit.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const configFile = '/etc/ra/agent.yaml';

test('systemd finds nothing to complain of, where it is installed', (t) => {
  using dir = temporaryDir();
  const program = join(dir.path, 'current');
  mkdirSync(join(program, 'bin'), { recursive: true });
  writeFileSync(join(program, 'bin/node'), '#!/bin/sh\n', { mode: 0o755 });
  for (const roles of [['bmc'], ['vm'], ['bmc', 'vm']]) {
    const file = join(dir.path, 'runmachine-agent.service');
    writeFileSync(file, systemdUnit({ program, configFile, roles }));
    const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    if (verified.error !== undefined) {
      t.log('there is no systemd-analyze here');
      t.pass();
      return;
    }
    const about = verified.stderr.split('\n').filter((line) => line.includes('runmachine-agent'));
    t.deepEqual(about, [], roles.join());
    t.is(verified.status, 0, verified.stderr);
  }
});
