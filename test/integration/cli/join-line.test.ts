/** The line that hosts paste, run by real shells against a server that gives the files. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { joinLine } from '../../../services/cli/join-line.ts';
import { createAuthority } from '../../support/certificates.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const TOKEN = "runm_j_it's one";

/** Writes what it was called with, and the token, where the test looks for it. */
const INSTALLER =
  'printf "%s\\n" "$@" >"$OUT/args"; cat token >"$OUT/token"; ls -l token >"$OUT/mode"\n';

type Site = { readonly endpoint: string; readonly fingerprint: string; readonly asked: string[] };

const startSite = async (t: ExecutionContext): Promise<Site> => {
  const authority = await createAuthority();
  const { certificate: cert, key } = await authority.issue([]);
  const asked: string[] = [];
  const files = new Map([
    ['/agent/ca.pem', authority.ca],
    ['/agent/install.sh', INSTALLER],
  ]);
  const server = createServer({ cert, key }, ({ url = '' }, response) => {
    asked.push(url);
    const text = files.get(url);
    response.writeHead(text === undefined ? 404 : 200);
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { raw } = new X509Certificate(authority.ca);
  const fingerprint = createHash('sha256').update(raw).digest('hex');
  return { endpoint: `https://127.0.0.1:${port}`, fingerprint, asked };
};

const lineOf = ({ endpoint, fingerprint: caFingerprint }: Site, installer = INSTALLER): string =>
  joinLine(
    {
      ...{ endpoint, caFingerprint, token: TOKEN },
      ...{ roles: ['bmc', 'vm'], agentId: 'host-2', more: ['--foreground'] },
    },
    {
      installerSha256: createHash('sha256').update(installer).digest('hex'),
      machineAddresses: [],
      machinePort: 7444,
    },
  );

type Run = { readonly code: number | null; readonly stderr: string };

const paste = (shell: string, line: string, env: NodeJS.ProcessEnv): Promise<Run> =>
  new Promise((resolve) => {
    const child = spawn(shell, [], { env, stdio: ['pipe', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    child.once('close', (code) => resolve({ code, stderr }));
    child.stdin.end(`${line}\n`);
  });

const where = (name: string): string =>
  spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();

/** A PATH with nothing but these programs. */
const pathWith = (directory: string, names: readonly string[]): string => {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  for (const name of names) symlinkSync(where(name), join(bin, name));
  return bin;
};

const TOOLS = ['sh', 'mktemp', 'sed', 'base64', 'sha256sum', 'cut', 'cat', 'ls'];

const fetches = test.macro({
  exec: async (t, fetcher: 'curl' | 'wget', shell: string) => {
    if (where(fetcher) === '' || where(shell) === '') {
      t.log(`there is no ${fetcher} or no ${shell} here`);
      t.pass();
      return;
    }
    using dir = temporaryDir();
    const site = await startSite(t);
    const PATH = pathWith(dir.path, [...TOOLS, fetcher]);
    const env = { PATH, OUT: dir.path, HOME: dir.path };
    const { code, stderr } = await paste(where(shell), lineOf(site), env);
    t.is(code, 0, stderr);
    t.is(readFileSync(join(dir.path, 'token'), 'utf8'), TOKEN);
    t.regex(readFileSync(join(dir.path, 'mode'), 'utf8'), /^-rw-------/);
    t.deepEqual(readFileSync(join(dir.path, 'args'), 'utf8').trim().split('\n'), [
      ...['--endpoint', site.endpoint, '--roles', 'bmc,vm'],
      ...['--machine', '127.0.0.1:7444', '--id', 'host-2', '--foreground'],
    ]);
  },
  title: (_, fetcher, shell) => `the line joins with ${fetcher} in ${shell}`,
});

test(fetches, 'curl', 'sh');
test(fetches, 'wget', 'sh');
test(fetches, 'curl', 'bash');
test(fetches, 'curl', 'zsh');

test('the line stops before it sends or runs anything where the CA is another one', async (t) => {
  using dir = temporaryDir();
  const site = await startSite(t);
  const line = lineOf({ ...site, fingerprint: 'ab'.repeat(32) });
  const env = { ...process.env, OUT: dir.path };
  const { code, stderr } = await paste('sh', line, env);
  t.is(code, 1);
  t.regex(stderr, /ca\.pem is not the one that was meant/);
  t.deepEqual(site.asked, ['/agent/ca.pem']);
  t.throws(() => readFileSync(join(dir.path, 'token')));
});

test('the line runs no installer but the one that was meant', async (t) => {
  using dir = temporaryDir();
  const site = await startSite(t);
  const { code, stderr } = await paste('sh', lineOf(site, 'another'), {
    ...process.env,
    OUT: dir.path,
  });
  t.is(code, 1);
  t.regex(stderr, /install\.sh is not the one that was meant/);
  t.throws(() => readFileSync(join(dir.path, 'token')));
});
