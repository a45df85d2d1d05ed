import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import type { LabServerState, LabStore } from './server-state.ts';

/** Readable by this user only, written whole or not at all. */
export const writePrivateFile = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  // One left from before keeps its mode when it is written again.
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
};

/** Undefined when there is none; `read` throws for what is no such file. */
export const readPrivateJson = <T>(path: string, read: (value: unknown) => T): T | undefined => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return read(JSON.parse(text));
  } catch (cause) {
    throw failedPrecondition(
      'LAB_STATE_DAMAGED',
      `Cannot read "${path}": move it away to begin anew with that server`,
      { cause, metadata: { path } },
    );
  }
};

/**
 * The state of one server in one file, which holds passwords: IPMI proves them by a keyed digest,
 * for which the controller must know them.
 */
export const createFileStore = (path: string): LabStore => ({
  load: () => readPrivateJson(path, stateOf),
  save: (state) => writePrivateFile(path, `${JSON.stringify(state)}\n`),
});

// Only what could hurt is checked: the file is ours and is replaced whole.
const stateOf = (value: unknown): LabServerState => {
  if (!isState(value)) throw new Error('it is not the state of a server');
  return { ...value, log: value.log.map((entry) => ({ ...entry, at: new Date(entry.at) })) };
};

const isState = (value: unknown): value is LabServerState =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  value.version === 1 &&
  'wanted' in value &&
  typeof value.wanted === 'object' &&
  'bootCount' in value &&
  typeof value.bootCount === 'number' &&
  'boot' in value &&
  'log' in value &&
  Array.isArray(value.log) &&
  'accounts' in value &&
  Array.isArray(value.accounts);
