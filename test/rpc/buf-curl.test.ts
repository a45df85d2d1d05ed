/**
 * A foreign client that knows nothing but the address: `buf curl`, which asks reflection for the
 * contract.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { temporaryDir } from '../support/temporary-dir.ts';
import { type Fixture, MACHINE, startFixture } from './fixture.ts';

const run = promisify(execFile);
const BUF = join(import.meta.dirname, '../../node_modules/.bin/buf');

let fixture: Fixture;
test.before(async () => {
  fixture = await startFixture();
});
test.after.always(() => fixture.stop());

const METHOD = 'runmachine.machine.v1.MachineService/GetMachine';
const DATA = ['--data', JSON.stringify({ name: MACHINE })];

type Curl = (args: readonly string[]) => Promise<{ readonly out: string; readonly error: string }>;

const curlIn =
  (dir: string): Curl =>
  async (args) => {
    const options = { cwd: dir, timeout: 30_000, env: { ...process.env, HOME: dir } };
    try {
      const { stdout } = await run(BUF, ['curl', ...args], options);
      return { out: stdout, error: '' };
    } catch (error) {
      const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
      return { out: '', error: `${error instanceof Error ? error.message : ''}${stderr}` };
    }
  };

for (const protocol of ['grpc', 'grpcweb', 'connect']) {
  test(`buf curl reads a machine with a token over ${protocol}`, async (t) => {
    using held = temporaryDir();
    const dir = held.path;
    await writeFile(join(dir, 'ca.pem'), fixture.authority.ca);
    const common = ['--cacert', 'ca.pem', '--header', 'authorization: Bearer admin-token'];
    const reflect = ['--reflect-header', 'authorization: Bearer admin-token'];
    const { out, error } = await curlIn(dir)([
      ...common,
      ...reflect,
      '--protocol',
      protocol,
      ...DATA,
      `${fixture.endpoint}/${METHOD}`,
    ]);
    t.is(error, '');
    t.like(JSON.parse(out), { machine: { name: MACHINE } });
  });
}

test('buf curl reads a machine with a client certificate, by reflection v1alpha too', async (t) => {
  using held = temporaryDir();
  const dir = held.path;
  const own = (await fixture.authority.service('scheduler')).current();
  await Promise.all([
    writeFile(join(dir, 'ca.pem'), own.ca),
    writeFile(join(dir, 'cert.pem'), own.certificate),
    writeFile(join(dir, 'key.pem'), own.key),
  ]);
  const address = `https://127.0.0.1:${fixture.machines.port}`;
  for (const version of ['grpc-v1', 'grpc-v1alpha']) {
    const { out, error } = await curlIn(dir)([
      ...['--cacert', 'ca.pem', '--cert', 'cert.pem', '--key', 'key.pem', '--protocol', 'grpc'],
      ...['--reflect-protocol', version, ...DATA, `${address}/${METHOD}`],
    ]);
    t.is(error, '', version);
    t.like(JSON.parse(out), { machine: { name: MACHINE } });
  }
});

test('the list of services is whole, and only for somebody', async (t) => {
  using held = temporaryDir();
  const dir = held.path;
  await writeFile(join(dir, 'ca.pem'), fixture.authority.ca);
  const curl = curlIn(dir);
  const list = ['--cacert', 'ca.pem', '--list-services', '--protocol', 'grpc', fixture.endpoint];
  const { out } = await curl(['--reflect-header', 'authorization: Bearer admin-token', ...list]);
  t.true(out.includes('runmachine.identity.v1.IdentityService'), 'it does not run here');
  t.true(out.includes('runmachine.machine.v1.MachineService'));
  const nobody = await curl(list);
  t.regex(nobody.error, /not authenticated/);
});
