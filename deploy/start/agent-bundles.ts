import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentDownloadOptions } from '../../services/agent-downloads.ts';
import { BUNDLES_FILE } from '../../services/agent-downloads.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUILD = join(ROOT, 'deploy/agent-bundle/build.ts');
const LIMIT_MS = 300_000;

/**
 * The agent for other hosts, made when the first of them is about to join: that takes seconds of
 * work and a hundred megabytes, which most installations never need.
 */
export const agentBundlesIn = (
  stateDir: string,
): Pick<AgentDownloadOptions, 'directory' | 'prepare'> => {
  const directory = join(stateDir, 'agent-bundles');
  return { directory, prepare: () => makeBundles(directory) };
};

const makeBundles = async (directory: string): Promise<void> => {
  if (isNewer(join(directory, BUNDLES_FILE), join(ROOT, 'package-lock.json'))) return;
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

/** An upgrade of the checkout changes the lock's time; a change of sources does in `npm start`. */
const isNewer = (file: string, than: string): boolean =>
  existsSync(file) && statSync(file).mtimeMs > statSync(than).mtimeMs;
