/**
 * Fetches images from their URLs: one at a time per replica, under a lease on the image's row, so
 * that a replica that dies is replaced. A part that cannot be had fails the import with its cause;
 * deleting the image is the way out.
 */
import type { Clock } from '../../runtime/clock.ts';
import {
  DomainError,
  failedPrecondition,
  isDomainError,
  unavailable,
} from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { writeArtifact } from '../artifact-writer.ts';
import {
  type Image,
  type ImagePart,
  imageName,
  importFailed,
  partToFetch,
  withPart,
  withProgress,
} from '../domain/image.ts';
import type { Records } from '../ports.ts';

export type FetcherDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly owner: string;
  readonly idleMs: number;
};

const LEASE_MS = 60_000;
/** A server that sends nothing for this long is taken for dead. */
const STALL_MS = 30_000;
const FETCH_MS_MAX = 6 * 3_600_000;
const TRIES = 3;
const RETRY_MS = 2_000;
const ACTOR = { principal: 'services/machine', requestId: 'image import' };
/** Progress is for people; every part would be a write more. */
const PROGRESS_MS = 2_000;

export type ImageFetcher = {
  /** There may be something to fetch. */
  readonly nudge: () => void;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

export const createImageFetcher = (deps: FetcherDeps): ImageFetcher => {
  let bell = new AbortController();
  return {
    nudge: () => bell.abort(),
    work: async (signal) => {
      while (!signal.aborted) {
        bell = new AbortController();
        try {
          if (await fetchNext(deps, signal)) continue;
        } catch (error) {
          if (!signal.aborted) deps.log.warn({ err: error }, 'images cannot be fetched now');
        }
        const early = AbortSignal.any([bell.signal, signal]);
        await deps.clock.sleep(deps.idleMs, early).catch(() => undefined);
      }
    },
  };
};

/** False: there is nothing to fetch. */
const fetchNext = async (deps: FetcherDeps, signal: AbortSignal): Promise<boolean> => {
  const nowMs = deps.clock.now().getTime();
  const untilMs = nowMs + LEASE_MS;
  const image = await deps.store.transaction(undefined, ACTOR, (tx) =>
    deps.records.images.leaseImport(tx, { owner: deps.owner, untilMs, nowMs }),
  );
  const part = image === undefined ? undefined : partToFetch(image);
  if (image === undefined || part === undefined) return false;
  try {
    await fetchPart(deps, { image, part }, signal);
  } catch (error) {
    if (signal.aborted || isDomainError(error, 'aborted')) return true;
    await recordFailure(deps, image, { part, error });
  }
  return true;
};

type Wanted = { readonly image: Image; readonly part: ImagePart };

const fetchPart = async (
  deps: FetcherDeps,
  { image, part }: Wanted,
  signal: AbortSignal,
): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const artifact = await download(deps, { image, part }, signal);
      await deps.store.transaction(undefined, ACTOR, async (tx) => {
        const locked = await deps.records.images.lock(tx, image.uid);
        if (locked === undefined) return;
        await deps.records.artifacts.complete(tx, artifact);
        const { sizeBytes } = artifact;
        await deps.records.images.save(tx, withPart(locked, part.role, sizeBytes));
        // The next part may be fetched at once, by whoever comes first.
        await deps.records.images.extendImport(tx, {
          uid: image.uid,
          owner: deps.owner,
          untilMs: 0,
        });
      });
      return;
    } catch (error) {
      if (signal.aborted || attempt >= TRIES || !isDomainError(error, 'unavailable')) throw error;
      await deps.clock.sleep(RETRY_MS * attempt, signal);
    }
  }
};

const download = (deps: FetcherDeps, { image, part }: Wanted, signal: AbortSignal) => {
  let toldMs = deps.clock.monotonicMs();
  return writeArtifact(deps, {
    sha256: part.sha256,
    sizeBytes: part.sizeBytes,
    source: bytesOf(deps, part.url, signal),
    actor: ACTOR,
    onProgress: async (receivedBytes) => {
      const nowMs = deps.clock.monotonicMs();
      if (nowMs - toldMs < PROGRESS_MS) return;
      toldMs = nowMs;
      await deps.store.transaction(undefined, ACTOR, async (tx) => {
        const untilMs = deps.clock.now().getTime() + LEASE_MS;
        const { owner } = deps;
        const { images } = deps.records;
        const isMine = await images.extendImport(tx, { uid: image.uid, owner, untilMs });
        const locked = isMine ? await images.lock(tx, image.uid) : undefined;
        if (locked === undefined) throw new DomainError('aborted', 'BUSY', 'The image went away');
        await images.save(tx, withProgress(locked, part.role, receivedBytes));
      });
    },
  });
};

/**
 * The body of the URL. Every read has a limit: a server that stalls must not hold the lease for
 * ever.
 */
async function* bytesOf(
  { clock }: FetcherDeps,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stalled = new AbortController();
  let beatMs = clock.monotonicMs();
  const over = new AbortController();
  const watch = async () => {
    while (!over.signal.aborted) {
      await clock.sleep(STALL_MS / 10, over.signal);
      if (clock.monotonicMs() - beatMs > STALL_MS) stalled.abort();
    }
  };
  watch().catch(() => undefined);
  try {
    const limit = AbortSignal.any([signal, stalled.signal, AbortSignal.timeout(FETCH_MS_MAX)]);
    const response = await fetch(url, { signal: limit, redirect: 'follow' });
    if (!response.ok) throw refused(url, response.status);
    for await (const piece of response.body ?? []) {
      beatMs = clock.monotonicMs();
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof DomainError || signal.aborted) throw cause;
    const why = stalled.signal.aborted ? `nothing came for ${STALL_MS / 1000} s` : reasonOf(cause);
    throw unavailable('SERVICE_UNAVAILABLE', `${url} cannot be fetched: ${why}`, { cause });
  } finally {
    over.abort();
  }
}

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
};

const refused = (url: string, status: number) =>
  status >= 500 || status === 429
    ? unavailable('SERVICE_UNAVAILABLE', `${url} answers ${status}`)
    : failedPrecondition('IMAGE_INVALID', `${url} answers ${status}`, {
        metadata: { url, status: String(status) },
      });

const recordFailure = async (
  deps: FetcherDeps,
  image: Image,
  { part, error }: { readonly part: ImagePart; readonly error: unknown },
): Promise<void> => {
  const known = isDomainError(error) ? error : undefined;
  if (known === undefined) deps.log.error({ err: error, image: imageName(image) }, 'import failed');
  const message = known?.message ?? 'The import failed unexpectedly; the log names the cause';
  const sinceMs = deps.clock.now().getTime();
  const problem = {
    reason: known?.reason ?? 'INTERNAL',
    message: `Part ${part.role}: ${message}`,
    sinceMs,
    retryMs: null,
  };
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const locked = await deps.records.images.lock(tx, image.uid);
    if (locked !== undefined) await deps.records.images.save(tx, importFailed(locked, problem));
  });
};
