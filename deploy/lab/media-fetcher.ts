/**
 * Brings what lies in a virtual drive to where qemu can read it, at each boot anew: what is behind
 * a URL may have changed since.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../services/runtime/clock.ts';

export type Fetched =
  | { readonly kind: 'fetched'; readonly path: string }
  | { readonly kind: 'failed'; readonly problem: string };

export type MediaFetcher = {
  readonly fetch: (url: string, signal: AbortSignal) => Promise<Fetched>;
};

export type MediaFetcherDeps = {
  readonly directory: string;
  readonly clock: Clock;
  readonly limitMs?: number;
  readonly sizeBytesMax?: number;
};

const LIMIT_MS = 120_000;
const SIZE_BYTES_MAX = 8 * 1024 ** 3;

export const createMediaFetcher = (deps: MediaFetcherDeps): MediaFetcher => {
  const { directory, clock, limitMs = LIMIT_MS, sizeBytesMax = SIZE_BYTES_MAX } = deps;
  let fetches = 0;
  return {
    fetch: async (url, signal) => {
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      const late = clock.sleep(limitMs, either).then(
        () => over.abort(new Error(`it took longer than ${limitMs} ms`)),
        () => undefined,
      );
      const path = join(directory, `${createHash('sha256').update(url).digest('hex')}.iso`);
      // Servers that boot from the same at once must not write into each other's file.
      fetches += 1;
      const half = `${path}.${fetches}.new`;
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await download(url, { path: half, sizeBytesMax, signal: either });
        await rename(half, path);
        return { kind: 'fetched', path };
      } catch (error) {
        await rm(half, { force: true });
        return { kind: 'failed', problem: problemOf(error) };
      } finally {
        over.abort();
        await late;
      }
    },
  };
};

const download = async (
  url: string,
  to: { readonly path: string; readonly sizeBytesMax: number; readonly signal: AbortSignal },
): Promise<void> => {
  if (!/^https?:/.test(url)) throw new Error('only http: and https: are fetched');
  const answer = await fetch(url, { signal: to.signal });
  if (!answer.ok || answer.body === null) throw new Error(`the server answered ${answer.status}`);
  let sizeBytes = 0;
  const limited = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= to.sizeBytesMax) done(null, chunk);
      else done(new Error(`it is larger than ${to.sizeBytesMax} bytes`));
    },
  });
  const file = createWriteStream(to.path, { mode: 0o600 });
  await pipeline(Readable.fromWeb(answer.body), limited, file, { signal: to.signal });
};

/** The outermost message of a failed fetch says nothing. */
const problemOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
};
