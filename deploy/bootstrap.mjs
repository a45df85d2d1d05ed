/**
 * Runs before every npm script: brings node_modules (and with it the Node that everything else runs
 * on) when it is missing or older than package-lock.json. Plain JavaScript that even Node 12 can
 * read, because it must be able to say that a Node is too old; no `?.`, no `??`, no top-level
 * await.
 *
 * The script that npm runs next is a new shell with node_modules/.bin first in PATH, so `node` is
 * then ours.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { alsoHeldBy, withInstallLock } from './install-lock.mjs';
import { bringLibatomic, libatomicCommand, linkOwnNode, ownNodeState } from './own-node.mjs';

const OLDEST_NODE = 18;
const OWN_NODE = 26;
const OUTPUT_MAX = 1024 * 1024;

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
const ownNode = at('node_modules', '.bin', 'node');
const lockDir = at('.bootstrap.lock');

const fail = (cause, cure) => {
  process.stderr.write(`runmachine: ${cause}\n  ${cure}\n`);
  process.exit(1);
};

const main = () => {
  const found = Number(process.versions.node.split('.')[0]);
  if (found < OLDEST_NODE) {
    const get = 'get a newer one from https://nodejs.org/en/download';
    process.stderr.write(
      `runmachine: Node.js ${process.versions.node} is too old, ${OLDEST_NODE} or newer is needed; ${get}\n`,
    );
    process.exit(1);
  }
  if (isFresh() && ownNodeState(ownNode) === 'runs') return Promise.resolve();
  const print = (line) => process.stderr.write(`${line}\n`);
  return withInstallLock({ lockDir, fail, print }, async () => {
    // Another bootstrap may have done it while this one waited.
    if (isFresh()) linkOwnNode(at('node_modules'));
    if (!isFresh() || !fs.existsSync(ownNode)) await install();
    checkOwnNode(found);
  });
};

const isFresh = () => {
  const installed = at('node_modules', '.package-lock.json');
  const locked = at('package-lock.json');
  if (!fs.existsSync(installed)) return false;
  if (fs.statSync(installed).mtimeMs >= fs.statSync(locked).mtimeMs) return true;
  // A checkout touches the lock file without changing it; then nothing needs to be installed again.
  if (!holdsAll(readJson(installed), readJson(locked))) return false;
  try {
    fs.utimesSync(installed, new Date(), new Date());
  } catch (_error) {
    // A read-only checkout is compared again next time.
  }
  return true;
};

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (_error) {
    return {};
  }
};

const holdsAll = (installed, locked) => {
  const have = installed.packages || {};
  const wanted = locked.packages || {};
  const names = Object.keys(wanted).filter((name) => name !== '');
  const differs = (name) => {
    if (have[name] === undefined) return !wanted[name].optional && !wanted[name].peer;
    return have[name].version !== wanted[name].version;
  };
  return names.length > 0 && !names.some(differs);
};

const checkOwnNode = (found) => {
  linkOwnNode(at('node_modules'));
  let state = ownNodeState(ownNode);
  if (state === 'libatomic') {
    process.stderr.write('runmachine: fetching libatomic, which Node.js needs here\n');
    const reason = bringLibatomic(at('node_modules'));
    if (reason !== undefined) {
      fail(
        `this system lacks libatomic (${reason})`,
        `Type \`${libatomicCommand()}\`, then the same again.`,
      );
    }
    state = ownNodeState(ownNode);
  }
  if (state === 'runs' || found >= OWN_NODE) return;
  const here = `${process.platform} ${process.arch}`;
  fail(
    state === 'absent'
      ? `there is no Node.js ${OWN_NODE} among our packages for ${here}`
      : `the Node.js ${OWN_NODE} that was installed does not run here (${here}): ${state}`,
    `What works: Linux with glibc and macOS, on x64 and arm64; elsewhere with your own Node.js ${OWN_NODE}.`,
  );
};

const install = async () => {
  const started = Date.now();
  const text = 'runmachine: installing packages (npm ci)';
  const tty = process.stderr.isTTY;
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const show = () => process.stderr.write(`\r${text} ${seconds()} s`);
  if (tty) show();
  else process.stderr.write(`${text}\n`);
  const ticking = tty ? setInterval(show, 1000) : undefined;
  const { code, output } = await runNpm();
  clearInterval(ticking);
  if (tty) process.stderr.write(`\r${text} ${seconds()} s\n`);
  if (code !== 0) explain(code, output);
};

const runNpm = () => {
  const script = process.env.npm_execpath || '';
  const isNpm = /^npm/.test(path.basename(script)) && fs.existsSync(script);
  // Install scripts are not needed, and they would run under a Node.js that may still lack a
  // library.
  const options = [
    ...['ci', '--ignore-scripts', '--include=dev'],
    ...['--loglevel=error', '--no-audit', '--no-fund'],
  ];
  const program = isNpm ? process.execPath : 'npm';
  const args = isNpm ? [script, ...options] : options;
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const collect = (part) => {
      output = (output + part).slice(-OUTPUT_MAX);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ code: error.code, output: error.message }));
    if (child.pid !== undefined) alsoHeldBy(lockDir, child.pid);
    const stop = (signal) => {
      // npm gets a Ctrl-C from the terminal itself; this is for a signal sent to us alone.
      child.kill(signal);
      child.once('close', () => process.exit(signal === 'SIGINT' ? 130 : 143));
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    child.on('close', (code, signal) => {
      // In the next turn, after a handler that ends the process because it was told to.
      setImmediate(() => resolve({ code: code === null ? signal : code, output }));
    });
  });
};

/** What npm's error codes mean for somebody who has just cloned; the first match counts. */
const CAUSES = [
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH/,
    'npm cannot reach its package registry',
    'Check the network, `npm config get registry` and `npm config get proxy`, then type the same again.',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_/,
    'npm does not trust the certificate of its package registry',
    'Name the certificate of your proxy: `npm config set cafile <file>`, then type the same again.',
  ],
  [/ENOSPC/, 'the disk is full', 'Free about 1 GB, then type the same again.'],
  [
    /EACCES|EPERM|EROFS/,
    'npm may not write here',
    `If files belong to another user: \`sudo chown -R "$(id -un)" ${root}\`, then type the same again.`,
  ],
  [
    /EUSAGE|can only install packages when/,
    'package.json and package-lock.json do not fit together',
    'Undo changes to them: `git checkout package.json package-lock.json`, then type the same again.',
  ],
  [
    /E404|ETARGET|EINTEGRITY/,
    'the package registry has not what package-lock.json names',
    'Check `npm config get registry`: a mirror may be behind. Then type the same again.',
  ],
];

const explain = (code, output) => {
  if (code === 'ENOENT') {
    fail(
      'npm is not installed',
      'Install it, e.g. `sudo apt-get install npm`, then type the same again.',
    );
  }
  const known = CAUSES.find(([pattern]) => pattern.test(output));
  const lines = output.trim().split('\n');
  const shown = known === undefined ? lines.slice(-20) : lines.slice(0, 4);
  process.stderr.write(`${shown.join('\n')}\n`);
  if (known !== undefined) fail(known[1], known[2]);
  fail(`npm ci failed (${code})`, 'What npm said stands above; `npm ci` alone says more.');
};

main().catch((error) => fail(error.message, 'This is a mistake in deploy/bootstrap.mjs.'));
