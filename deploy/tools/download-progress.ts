import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../services/runtime/clock.ts';

const LINE_EVERY_MS = 3_000;

/** Lines about a running download, told from how large the files in `dir` have become. */
export const downloadProgress = ({
  what,
  totalBytes,
  dir,
  log,
  clock,
}: {
  readonly what: string;
  readonly totalBytes: number;
  readonly dir: string;
  readonly log: (line: string) => void;
  readonly clock: Clock;
}): { readonly during: <T>(work: () => Promise<T>) => Promise<T> } => ({
  during: async (work) => {
    log(`tools: fetching ${what}, ${megabytes(totalBytes)} MB`);
    const startedMs = clock.monotonicMs();
    const ended = new AbortController();
    const reporting = (async () => {
      while (!ended.signal.aborted) {
        await clock.sleep(LINE_EVERY_MS, ended.signal).catch(() => {});
        if (ended.signal.aborted) return;
        log(`tools: ${megabytes(await sizeOf(dir))} of ${megabytes(totalBytes)} MB`);
      }
    })();
    try {
      return await work();
    } finally {
      ended.abort();
      await reporting;
      const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
      log(`tools: download ended after ${seconds} s`);
    }
  },
});

const sizeOf = async (dir: string): Promise<number> => {
  let bytes = 0;
  for (const file of await readdir(dir)) {
    // A file may be renamed while we look.
    bytes += await stat(join(dir, file)).then(
      (found) => found.size,
      () => 0,
    );
  }
  return bytes;
};

const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);
