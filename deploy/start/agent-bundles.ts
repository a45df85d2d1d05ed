import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentDownloadOptions } from '../../services/agent-downloads.ts';
import { BUNDLES_FILE } from '../../services/agent-downloads.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUILD = join(ROOT, 'deploy/agent-bundle/build.ts');
/** What the agent is made of. */
const SOURCES = ['package-lock.json', 'services', 'gen', 'deploy/agent-bundle'].map((name) =>
  join(ROOT, name),
);
const LIMIT_MS = 300_000;

/**
 * The agent for other hosts, made when the first of them is about to join: that takes seconds of
 * work and a hundred megabytes, which most installations never need.
 */
export const agentBundlesIn = (
  stateDir: string,
): Pick<AgentDownloadOptions, 'directory' | 'prepare'> => {
  const directory = join(stateDir, 'agent-bundles');
  // What runs here does not change any more, so one look at the sources is enough.
  let isMade = false;
  const prepare = async (): Promise<void> => {
    if (!isMade && !isNewer(join(directory, BUNDLES_FILE), SOURCES)) await makeBundles(directory);
    isMade = true;
  };
  return { directory, prepare };
};

const makeBundles = async (directory: string): Promise<void> => {
  const child = spawn(process.execPath, [BUILD, directory], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT_MS,
  });
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    said = (said + piece.toString()).slice(-2_000);
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`the agent's bundle could not be made: ${said.trim()}`);
};

/** False also where there is no such file. A checkout gives what it changes a new time. */
export const isNewer = (file: string, sources: readonly string[]): boolean => {
  if (!existsSync(file)) return false;
  const { mtimeMs } = statSync(file);
  return sources.every((source) => mtimeMs > newestMs(source));
};

/** Of a file, or of all that lie below a folder. */
const newestMs = (path: string): number => {
  const found = statSync(path);
  if (!found.isDirectory()) return found.mtimeMs;
  const below = readdirSync(path).map((name) => newestMs(join(path, name)));
  return Math.max(0, ...below);
};
