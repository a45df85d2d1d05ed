import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '../../needs.ts';

const test = needs('apt').test;

const NOBODY = 65_534;

const emptyDir = (): Disposable & { readonly path: string } => {
  const path = mkdtempSync(join(tmpdir(), 'runm-fetch-'));
  if (process.getuid?.() === 0) chownSync(path, NOBODY, NOBODY);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

const moduleOf = (name: string): string =>
  JSON.stringify(new URL(`../../../deploy/tools/${name}`, import.meta.url).href);

/**
 * Fetches as an ordinary user with nothing taken from the system, and prints how each tool is
 * started.
 */
const SCRIPT = `
  import { fetchTools } from ${moduleOf('fetch.ts')};
  import { findKernel } from ${moduleOf('program.ts')};
  const [toolsDir, ...wanted] = process.argv.slice(1);
  // Only now, because the checkout may lie where nobody else can read it.
  if (process.getuid() === 0) {
    process.setgroups([]);
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
  }
  const results = await fetchTools({
    toolsDir, wanted, ignoreSystem: true, log: (line) => console.error(line),
  });
  const kernel = results.get('kernel');
  console.log(JSON.stringify({
    tools: Object.fromEntries(results),
    kernel: kernel?.kind === 'found' ? findKernel(kernel.program.path) : undefined,
  }));`;

const fetchAsOrdinaryUser = (toolsDir: string, wanted: readonly string[]) => {
  const args = ['--input-type=module', '-e', SCRIPT, toolsDir, ...wanted];
  const result = spawnSync(process.execPath, args, {
    cwd: toolsDir,
    encoding: 'utf8',
    timeout: 200_000,
    env: { ...process.env, HOME: toolsDir },
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return { answer: JSON.parse(result.stdout), log: result.stderr };
};

test.serial('an ordinary user gets a static busybox and a kernel without installing', (t) => {
  using dir = emptyDir();
  const { answer, log } = fetchAsOrdinaryUser(dir.path, ['busybox', 'kernel']);
  t.regex(log, /fetching \d+ packages for busybox, kernel, \d+\.\d MB/);
  const { busybox } = answer.tools;
  t.is(busybox.kind, 'found');
  t.is(busybox.program.source, 'unpacked');
  const said = spawnSync(busybox.program.path, ['echo', 'it runs'], { encoding: 'utf8' });
  t.is(said.stdout, 'it runs\n');
  t.true(existsSync(answer.kernel.image));
  t.true(readdirSync(answer.kernel.modulesDir).includes('kernel'));
  t.deepEqual(readdirSync(join(dir.path, 'apt', 'archives')), []);

  const again = fetchAsOrdinaryUser(dir.path, ['busybox', 'kernel']);
  t.is(again.log, '');
});

test.serial('a fetch that was ended half way is completed by the next one', (t) => {
  using dir = emptyDir();
  fetchAsOrdinaryUser(dir.path, ['busybox']);
  // As after a kill: unpacked and stamped in part, not ready, rubbish left behind.
  rmSync(join(dir.path, 'ready'), { recursive: true });
  rmSync(join(dir.path, 'unpacked'), { recursive: true });
  rmSync(join(dir.path, 'root', 'bin'), { recursive: true });
  const { answer } = fetchAsOrdinaryUser(dir.path, ['busybox']);
  t.is(answer.tools.busybox.kind, 'found');
  t.true(existsSync(answer.tools.busybox.program.path));
});

test.serial(
  'without a way to the mirror the result names the cause and the command to type',
  (t) => {
    using dir = emptyDir();
    const before = process.env.http_proxy;
    process.env.http_proxy = 'http://127.0.0.1:1';
    try {
      const { answer } = fetchAsOrdinaryUser(dir.path, ['busybox']);
      t.is(answer.tools.busybox.kind, 'missing');
      t.regex(answer.tools.busybox.reason, /127\.0\.0\.1/);
      t.regex(answer.tools.busybox.cure, /apt-get install .*busybox-static/);
    } finally {
      if (before === undefined) delete process.env.http_proxy;
      else process.env.http_proxy = before;
    }
  },
);

test('the tools can be fetched from the command line, and a wrong name is refused', (t) => {
  const main = fileURLToPath(new URL('../../../deploy/tools/main.ts', import.meta.url));
  const wrong = spawnSync(process.execPath, [main, 'emacs'], { encoding: 'utf8' });
  t.is(wrong.status, 2);
  t.regex(wrong.stderr, /Unknown tool "emacs"; known are qemu, /);
});
