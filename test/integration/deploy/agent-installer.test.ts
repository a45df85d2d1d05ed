/** What the installer of the agent refuses; that it works is in agent/second-host.test.ts. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../support/certificates.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const TEMPLATE = join(import.meta.dirname, '../../../deploy/agent-bundle/install.sh');
const BUNDLE = Buffer.from('this is no bundle');
const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

type Outcome = { readonly code: number | null; readonly stderr: string };

/** Runs the installer in a folder with what the join line leaves there. */
const install = async (
  t: ExecutionContext,
  { directory, cases, args }: { directory: string; cases: string; args: readonly string[] },
): Promise<Outcome & { readonly asked: readonly string[] }> => {
  const authority = await createAuthority();
  const { certificate: cert, key } = await authority.issue([]);
  const asked: string[] = [];
  const server = createServer({ cert, key }, ({ url = '' }, response) => {
    asked.push(url);
    response.end(BUNDLE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const endpoint = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  writeFileSync(join(directory, 'ca.pem'), authority.ca);
  writeFileSync(join(directory, 'token'), 'a token');
  const script = readFileSync(TEMPLATE, 'utf8').replace('@BUNDLES@', cases);
  writeFileSync(join(directory, 'install.sh'), script);
  const wanted = ['install.sh', '--endpoint', endpoint, ...args];
  const child = spawn('sh', wanted, {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => {
    stderr += piece.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stderr, asked };
};

const BOTH = (sha256: string): string =>
  ['x86_64', 'aarch64'].map((arch) => `  ${arch}) sha256=${sha256} size=17 ;;`).join('\n');
const ARGS = ['--machine', '127.0.0.1:1', '--roles', 'bmc', '--foreground'];

test('a bundle that is not the one that was meant is not unpacked', async (t) => {
  using dir = temporaryDir();
  const wanted = sha256Of(Buffer.from('another'));
  const options = { directory: dir.path, cases: BOTH(wanted), args: ARGS };
  const { code, stderr, asked } = await install(t, options);
  t.is(code, 1);
  t.true(stderr.includes(`has SHA-256 ${sha256Of(BUNDLE)}, expected ${wanted}`), stderr);
  t.deepEqual(asked, [`/agent/${wanted}.tar.gz`]);
  const folder = join(dir.path, '.local/share/runmachine-agent');
  t.false(existsSync(join(folder, 'current')));
  t.false(existsSync(join(folder, 'join.token')));
});

test('a bundle that cannot be unpacked leaves nothing that counts as installed', async (t) => {
  using dir = temporaryDir();
  const options = { directory: dir.path, cases: BOTH(sha256Of(BUNDLE)), args: ARGS };
  t.not((await install(t, options)).code, 0);
  const folder = join(dir.path, '.local/share/runmachine-agent');
  t.false(existsSync(join(folder, 'current')));
});

test('an architecture without a bundle, or an option that is not known, is named', async (t) => {
  using dir = temporaryDir();
  const none = await install(t, { directory: dir.path, cases: '', args: ARGS });
  t.regex(none.stderr, /has no bundle for (x86_64|aarch64)/);
  const odd = { directory: dir.path, cases: '', args: ['--colour', 'red'] };
  t.regex((await install(t, odd)).stderr, /unknown option --colour; known: --endpoint/);
});
