/** Threads of this process that run programs of ours. */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { Worker } from 'node:worker_threads';

const START = new URL('./thread-start.mjs', import.meta.url);
/** Imports of our own files, as STYLE and formatter have them. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g;

/**
 * Runs the program, a .ts file, in a thread; it finds `data` in workerData. Its sources are made
 * JavaScript here, where they are read anyway: a thread that did that by itself would hold another
 * compiler and what that leaves behind, some 40 MB.
 */
export const startThread = (program: URL, data: Readonly<Record<string, unknown>>): Worker => {
  const sources = new Map<string, string>();
  addSources(sources, program);
  return new Worker(START, { workerData: { ...data, program: program.href, sources } });
};

const addSources = (sources: Map<string, string>, url: URL): void => {
  if (sources.has(url.href)) return;
  const source = quietly(() => stripTypeScriptTypes(readFileSync(url, 'utf8')));
  sources.set(url.href, source);
  for (const [, path = ''] of source.matchAll(IMPORT)) addSources(sources, new URL(path, url));
};

/** Our Node is pinned, so nobody need be told that the call is experimental. */
const quietly = <T>(work: () => T): T => {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
};
