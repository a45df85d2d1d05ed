import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { eventually } from '../../support/eventually.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

/** deploy/bootstrap.mjs in a checkout of its own, with an npm that does what the test wants. */
const deploy = join(dirname(fileURLToPath(import.meta.url)), '../../../deploy');

const LOCK = { packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } };

/** Installs as npm does: the hidden lock file comes last. */
const INSTALLS = `
  fs.mkdirSync('node_modules/.bin', { recursive: true });
  fs.symlinkSync(process.execPath, 'node_modules/.bin/node');
  fs.writeFileSync('node_modules/.package-lock.json', fs.readFileSync('package-lock.json'));`;

/** Installs once the test says so. */
const INSTALLS_WHEN_TOLD = `
  const told = setInterval(() => {
    if (!fs.existsSync('go')) return;
    clearInterval(told);${INSTALLS}
  }, 20);`;

type Checkout = {
  readonly at: (...parts: readonly string[]) => string;
  /** How often npm was run. */
  readonly runs: () => number;
  readonly start: () => ChildProcess;
  readonly bootstrap: () => Promise<{ readonly exitCode: number; readonly stderr: string }>;
} & Disposable;

const checkout = (npm: string = INSTALLS): Checkout => {
  const dir = temporaryDir();
  const at = (...parts: readonly string[]): string => join(dir.path, ...parts);
  mkdirSync(at('deploy'));
  for (const file of ['bootstrap.mjs', 'own-node.mjs', 'install-lock.mjs']) {
    cpSync(join(deploy, file), at('deploy', file));
  }
  writeFileSync(at('package-lock.json'), JSON.stringify(LOCK));
  const script = `import fs from 'node:fs'; fs.appendFileSync('npm-runs', 'x');\n${npm}`;
  writeFileSync(at('package.json'), '{"type":"module"}');
  writeFileSync(at('npm-cli.js'), script);
  const start = (): ChildProcess =>
    spawn(process.execPath, [at('deploy', 'bootstrap.mjs')], {
      env: { ...process.env, npm_execpath: at('npm-cli.js') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  return {
    at,
    start,
    runs: () => (existsSync(at('npm-runs')) ? readFileSync(at('npm-runs'), 'utf8').length : 0),
    bootstrap: () => finished(start()),
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
};

const finished = async (child: ChildProcess, heard: (text: string) => void = () => undefined) => {
  let stderr = '';
  child.stderr?.on('data', (part: Buffer) => {
    stderr += part.toString();
    heard(stderr);
  });
  const exitCode = await new Promise<number>((resolve) => {
    child.once('close', (code) => resolve(code ?? -1));
  });
  return { exitCode, stderr };
};

test('packages are installed once, behind one line, and then nothing is said', async (t) => {
  using repo = checkout();
  const first = await repo.bootstrap();
  t.deepEqual(first, { exitCode: 0, stderr: 'runmachine: installing packages (npm ci)\n' });
  const second = await repo.bootstrap();
  t.deepEqual(second, { exitCode: 0, stderr: '' });
  t.is(repo.runs(), 1);
});

test('a lock file that was touched but not changed installs nothing', async (t) => {
  using repo = checkout();
  await repo.bootstrap();
  const later = new Date(Number.MAX_SAFE_INTEGER / 4000);
  utimesSync(repo.at('package-lock.json'), later, later);
  t.deepEqual(await repo.bootstrap(), { exitCode: 0, stderr: '' });
  t.is(repo.runs(), 1);
});

test('a changed lock file installs again', async (t) => {
  using repo = checkout(`fs.rmSync('node_modules', { recursive: true, force: true });${INSTALLS}`);
  await repo.bootstrap();
  const changed = { packages: { '': {}, 'node_modules/a': { version: '1.0.1' } } };
  writeFileSync(repo.at('package-lock.json'), JSON.stringify(changed));
  const later = new Date(Number.MAX_SAFE_INTEGER / 4000);
  utimesSync(repo.at('package-lock.json'), later, later);
  t.is((await repo.bootstrap()).exitCode, 0);
  t.is(repo.runs(), 2);
});

test('of two at once one installs and the other waits for it', async (t) => {
  using repo = checkout(INSTALLS_WHEN_TOLD);
  const waits = (text: string) => {
    if (text.includes('waiting')) writeFileSync(repo.at('go'), '');
  };
  const [first, second] = await Promise.all([
    finished(repo.start(), waits),
    finished(repo.start(), waits),
  ]);
  t.deepEqual([first.exitCode, second.exitCode], [0, 0]);
  t.is(repo.runs(), 1);
  t.regex(`${first.stderr}${second.stderr}`, /waiting for the installation by process \d+/);
  t.false(existsSync(repo.at('.bootstrap.lock')));
});

test('after a kill the next one waits for the orphaned npm and uses what it did', async (t) => {
  using repo = checkout(INSTALLS_WHEN_TOLD);
  const first = repo.start();
  await eventually(() => repo.runs() === 1, { message: 'npm to run' });
  first.kill('SIGKILL');
  const second = await finished(repo.start(), (text) => {
    if (text.includes('waiting')) writeFileSync(repo.at('go'), '');
  });
  t.is(second.exitCode, 0);
  t.is(repo.runs(), 1);
  t.regex(second.stderr, /waiting/);
});

/** Takes the lock often, and says so where another one is inside. */
const TAKES_THE_LOCK = `
  import fs from 'node:fs';
  import { withInstallLock } from './deploy/install-lock.mjs';
  const fail = (cause) => { throw new Error(cause); };
  for (let round = 0; round < 100; round += 1) {
    await withInstallLock({ lockDir: 'lock', fail, print: () => {}, pollMs: 1 }, async () => {
      fs.writeFileSync('inside', '', { flag: 'wx' });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      fs.rmSync('inside');
    });
  }`;

test('however often four take turns, one is inside at a time and nobody fails', async (t) => {
  using repo = checkout();
  writeFileSync(repo.at('takes.js'), TAKES_THE_LOCK);
  const take = () =>
    spawn(process.execPath, ['takes.js'], {
      cwd: repo.at(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const ended = await Promise.all([take(), take(), take(), take()].map((one) => finished(one)));
  t.deepEqual(ended, Array(4).fill({ exitCode: 0, stderr: '' }));
  t.false(existsSync(repo.at('lock')));
});

test('a lock that a dead process left is taken over', async (t) => {
  using repo = checkout();
  mkdirSync(repo.at('.bootstrap.lock'));
  writeFileSync(repo.at('.bootstrap.lock', 'holder-1'), `${process.pid} 1`);
  t.is((await repo.bootstrap()).exitCode, 0);
  t.is(repo.runs(), 1);
});

test('a signal ends the installation, quietly and without a lock left behind', async (t) => {
  using repo = checkout('setTimeout(() => {}, 60_000);');
  const child = repo.start();
  const ended = finished(child);
  await eventually(() => repo.runs() === 1, { message: 'npm to run' });
  child.kill('SIGTERM');
  const { exitCode, stderr } = await ended;
  t.is(exitCode, 143);
  t.is(stderr, 'runmachine: installing packages (npm ci)\n');
  t.false(existsSync(repo.at('.bootstrap.lock')));
});

const failures: readonly (readonly [string, RegExp, RegExp])[] = [
  ['npm error code ECONNREFUSED', /cannot reach its package registry/, /Check the network/],
  ['npm ERR! code ENOSPC', /the disk is full/, /Free about 1 GB/],
  ['npm error code EACCES', /npm may not write here/, /chown -R/],
  ['npm error code EUSAGE', /do not fit together/, /git checkout package\.json/],
  ['npm error code EINTEGRITY', /has not what package-lock\.json names/, /config get registry/],
  ['npm error code SELF_SIGNED_CERT_IN_CHAIN', /does not trust/, /cafile/],
  ['something else', /npm ci failed \(3\)/, /`npm ci` alone says more/],
];

for (const [told, cause, cure] of failures) {
  test(`npm saying "${told}" is told with cause and cure`, async (t) => {
    using repo = checkout(`console.error(${JSON.stringify(told)}); process.exitCode = 3;`);
    const { exitCode, stderr } = await repo.bootstrap();
    t.is(exitCode, 1);
    t.true(stderr.includes(told));
    t.regex(stderr, cause);
    t.regex(stderr, cure);
    t.false(existsSync(repo.at('.bootstrap.lock')));
  });
}

test('the link to our Node.js that npm left out is made', async (t) => {
  const name = `node-${process.platform}-${process.arch}`;
  using repo = checkout(`
    fs.mkdirSync('node_modules/.bin', { recursive: true });
    fs.mkdirSync('node_modules/${name}/bin', { recursive: true });
    fs.symlinkSync(process.execPath, 'node_modules/${name}/bin/node');
    fs.writeFileSync('node_modules/.package-lock.json', fs.readFileSync('package-lock.json'));`);
  t.is((await repo.bootstrap()).exitCode, 0);
  t.true(existsSync(repo.at('node_modules', '.bin', 'node')));
});
