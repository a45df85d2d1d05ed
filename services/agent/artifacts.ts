import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, ConnectError } from '@connectrpc/connect';
import type { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { internal, unavailable } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';

/**
 * Files by digest, fetched once and kept, so that a site that is cut off goes on booting its
 * machines.
 */
export type Artifacts = {
  /** Path of a file whose SHA-256 was checked when it was fetched. */
  readonly fetch: (sha256: string, signal: AbortSignal) => Promise<string>;
};

type Deps = {
  readonly directory: string;
  readonly client: () => Client<typeof AgentService>;
  readonly log: Logger;
};

const FETCH_LIMIT_MS = 3_600_000;

export const createArtifacts = (deps: Deps): Artifacts => {
  const running = new Map<string, Promise<string>>();
  return {
    fetch: (sha256, signal) => {
      const present = running.get(sha256);
      if (present) return present;
      const started = fetchOne(deps, sha256, signal).finally(() => running.delete(sha256));
      running.set(sha256, started);
      return started;
    },
  };
};

const fetchOne = async (deps: Deps, sha256: string, signal: AbortSignal): Promise<string> => {
  const path = join(deps.directory, sha256);
  if (await exists(path)) return path;
  await mkdir(deps.directory, { recursive: true, mode: 0o700 });
  const partial = `${path}.part`;
  await download(deps, { sha256, partial, signal });
  const found = await sha256Of(partial);
  if (found !== sha256) {
    await rm(partial, { force: true });
    throw internal('CHECKSUM_MISMATCH', `File ${sha256} came with SHA-256 ${found}`, {
      metadata: { wanted: sha256, found },
    });
  }
  await rename(partial, path);
  return path;
};

const download = async (
  deps: Deps,
  { sha256, partial, signal }: { sha256: string; partial: string; signal: AbortSignal },
): Promise<void> => {
  const file = await open(partial, 'a', 0o600);
  try {
    const offset = (await file.stat()).size;
    const stream = deps
      .client()
      .getArtifact({ sha256, offsetBytes: BigInt(offset) }, { signal, timeoutMs: FETCH_LIMIT_MS });
    let bytes = offset;
    for await (const part of stream) {
      await file.write(part.data);
      bytes += part.data.length;
    }
    await file.sync();
    deps.log.info({ sha256, bytes }, 'fetched a file');
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    throw unavailable('SERVICE_UNAVAILABLE', `Cannot fetch file ${sha256.slice(0, 12)}…`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
};

const exists = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
};

const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
};
