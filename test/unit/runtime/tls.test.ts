import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type Clock, systemClock } from '../../../services/runtime/clock.ts';
import { type Pem, readPem, tlsFromFiles } from '../../../services/runtime/tls.ts';
import { createAuthority } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

/** Time passes when the test says so. */
const handMoved = () => {
  let wake = Promise.withResolvers<void>();
  const clock: Clock = { ...systemClock, sleep: () => wake.promise };
  const pass = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  return { clock, pass };
};

const filesIn = (dir: string) => ({
  caFile: join(dir, 'ca.pem'),
  certificateFile: join(dir, 'cert.pem'),
  keyFile: join(dir, 'key.pem'),
});
const write = (dir: string, { ca, certificate, key }: Pem) => {
  const files = filesIn(dir);
  writeFileSync(files.caFile, ca);
  writeFileSync(files.certificateFile, certificate);
  writeFileSync(files.keyFile, key);
};

test('renewed files are taken once certificate and key fit each other', async (t) => {
  using dir = temporaryDir();
  const authority = await createAuthority();
  const [first, second] = [await authority.issue([]), await authority.issue([])];
  write(dir.path, first);
  const { clock, pass } = handMoved();
  const abort = new AbortController();
  const deps = { clock, log: silentLog, signal: abort.signal };
  const material = await tlsFromFiles(filesIn(dir.path), deps);
  const told: Pem[] = [];
  material.onChange((pem) => told.push(pem));
  t.deepEqual(material.current(), first);
  write(dir.path, { ...first, certificate: second.certificate });
  pass();
  await t.throwsAsync(readPem(filesIn(dir.path)), { message: /does not belong/ });
  t.deepEqual(material.current(), first, 'half a renewal is not taken');
  write(dir.path, second);
  await eventually(() => {
    pass();
    return told.length === 1;
  });
  t.deepEqual(material.current(), second);
  abort.abort();
  pass();
});

test('a missing or broken file is named', async (t) => {
  using dir = temporaryDir();
  const files = filesIn(dir.path);
  await t.throwsAsync(readPem(files), { message: /Cannot read the TLS file ".*\.pem"/ });
  write(dir.path, { ca: 'x', certificate: 'x', key: 'x' });
  await t.throwsAsync(readPem(files), { message: /Cannot parse ".*cert\.pem"/ });
});
