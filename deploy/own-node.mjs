/**
 * Makes the Node.js among our packages run where the system lacks one library that it needs:
 * minimal Debian and Ubuntu come without libatomic. The library is taken from the distribution's
 * own package, unpacked beside the packages, and node_modules/.bin/node becomes a script that names
 * it. Nothing is installed. Plain JavaScript for the same reason as bootstrap.mjs.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const LIBRARY = 'libatomic.so.1';
const PACKAGE = 'libatomic1';
const COMMAND_LIMIT_MS = 180000;

/** Why our Node.js does not run: `runs`, `absent`, `libatomic`, or what the loader said. */
export const ownNodeState = (ownNode) => {
  if (!fs.existsSync(ownNode)) return 'absent';
  const result = spawnSync(ownNode, ['--version'], { timeout: 20000, encoding: 'utf8' });
  if (result.status === 0) return 'runs';
  const told = (result.stderr || '').trim() || String(result.error || `exit ${result.status}`);
  return told.includes(LIBRARY) ? 'libatomic' : told;
};

/**
 * npm 9 leaves node_modules/.bin/node out: it removes the links of the builds for other platforms,
 * which have the same name, after it has made ours (https://github.com/npm/cli, arborist's rebuild
 * and its trash list).
 */
export const linkOwnNode = (nodeModules) => {
  const link = path.join(nodeModules, '.bin', 'node');
  if (fs.existsSync(link)) return;
  const here = `${process.platform}-${process.arch}`;
  const names = [`node-${here}`, `node-bin-${here}`];
  const name = names.find((one) => fs.existsSync(path.join(nodeModules, one, 'bin', 'node')));
  if (name === undefined) return;
  fs.rmSync(link, { force: true });
  fs.symlinkSync(path.join('..', name, 'bin', 'node'), link);
};

/** Undefined when it worked, else why not in one line. */
export const bringLibatomic = (nodeModules) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'runm-libatomic-'));
  try {
    const reason = download(work);
    if (reason !== undefined) return reason;
    const found = findFile(path.join(work, 'tree'), LIBRARY);
    if (found === undefined) return `${PACKAGE} does not hold ${LIBRARY}`;
    const libraries = path.join(nodeModules, '.lib');
    fs.mkdirSync(libraries, { recursive: true });
    fs.copyFileSync(fs.realpathSync(found), path.join(libraries, LIBRARY));
    writeWrapper(path.join(nodeModules, '.bin', 'node'));
    return undefined;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
};

/**
 * Tries the system's package lists, then lists of our own, as those may be missing or older than
 * the mirror.
 */
const download = (work) => {
  const own = ['lists/partial', 'cache/archives/partial', 'deb', 'tree'];
  for (const folder of own) fs.mkdirSync(path.join(work, folder), { recursive: true });
  const options = [
    ...['-o', 'APT::Sandbox::User=', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20'],
    ...['-o', 'Acquire::Languages=none', '-o', 'APT::Update::Post-Invoke-Success::='],
    ...['-o', `Dir::Cache=${work}/cache/`],
  ];
  const ownLists = ['-o', `Dir::State=${work}/`, '-o', `Dir::State::lists=${work}/lists/`];
  const status = ['-o', 'Dir::State::status=/var/lib/dpkg/status'];
  const cwd = path.join(work, 'deb');
  if (run('apt-get', [...options, 'download', PACKAGE], cwd) !== undefined) {
    const lists = [...options, ...ownLists, ...status];
    const failed =
      run('apt-get', [...lists, 'update'], cwd) ||
      run('apt-get', [...lists, 'download', PACKAGE], cwd);
    if (failed !== undefined) return failed;
  }
  const archive = fs.readdirSync(cwd).find((file) => file.endsWith('.deb'));
  if (archive === undefined) return `apt-get brought no ${PACKAGE}`;
  return run('dpkg', ['-x', archive, path.join(work, 'tree')], cwd);
};

const run = (program, args, cwd) => {
  const result = spawnSync(program, args, {
    cwd,
    timeout: COMMAND_LIMIT_MS,
    encoding: 'utf8',
    env: Object.assign({}, process.env, { LC_ALL: 'C' }),
  });
  if (result.status === 0) return undefined;
  if (result.error) return `${program}: ${result.error.message}`;
  const told = result.stderr.split('\n').find((line) => line.startsWith('E:'));
  return told || `${program} ended with ${result.status}`;
};

const findFile = (folder, name) => {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.name === name) return full;
    const inner = entry.isDirectory() ? findFile(full, name) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
};

/** Takes the place of npm's link to the program. */
const writeWrapper = (ownNode) => {
  const real = fs.realpathSync(ownNode);
  const relative = path.relative(path.dirname(ownNode), real);
  const text = `#!/bin/sh
# This system has no libatomic, which Node.js needs: ours lies in ../.lib (see deploy/own-node.mjs).
self=$0
[ -L "$self" ] && self=$(readlink -f "$self")
bin=$(cd "\${self%/*}" && pwd -P)
LD_LIBRARY_PATH="$bin/../.lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
exec "$bin/${relative}" --require "$bin/../.lib/exec-path.cjs" "$@"
`;
  // Children are often started as process.execPath with an environment of their own, which would
  // lack the library's path: so that path must be the wrapper's.
  const execPath = `process.execPath = require('node:path').resolve(__dirname, '../.bin/node');\n`;
  fs.writeFileSync(path.join(path.dirname(ownNode), '..', '.lib', 'exec-path.cjs'), execPath);
  const fresh = `${ownNode}.new`;
  fs.writeFileSync(fresh, text, { mode: 0o755 });
  fs.renameSync(fresh, ownNode);
};

/** The command that installs the library. */
export const libatomicCommand = () => {
  const exists = (program) => fs.existsSync(`/usr/bin/${program}`);
  if (exists('apt-get')) return `sudo apt-get install ${PACKAGE}`;
  if (exists('dnf')) return 'sudo dnf install libatomic';
  if (exists('zypper')) return 'sudo zypper install libatomic1';
  return 'install libatomic with the package manager of this system';
};
