import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import { unavailable } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * PEM texts: who we trust, our certificate (leaf first, then intermediates) and its private key.
 */
export type Pem = { readonly ca: string; readonly certificate: string; readonly key: string };

/** TLS material that may be replaced while the process runs; listeners hear of each replacement. */
export type TlsMaterial = {
  readonly current: () => Pem;
  /** Returns a function that ends the subscription. */
  readonly onChange: (listener: (pem: Pem) => void) => () => void;
};

export type MutableTls = TlsMaterial & { readonly replace: (pem: Pem) => void };

/** Material held in memory: replaced by whoever renews the certificate. */
export const tlsMaterial = (initial: Pem): MutableTls => {
  let pem = initial;
  const listeners = new Set<(pem: Pem) => void>();
  return {
    current: () => pem,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    replace: (next) => {
      pem = next;
      for (const listener of listeners) listener(next);
    },
  };
};

export type TlsFiles = {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
};

type WatchDeps = { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal };

const POLL_MS = 10_000;

/**
 * Material read from files and read again when they change, until the signal aborts. Polled,
 * because a renewal by rename or by a mounted secret is missed by file events. A pair that does not
 * fit is ignored until it does: the renewing program writes two files, one after the other.
 */
export const tlsFromFiles = async (
  files: TlsFiles,
  { clock, log, signal }: WatchDeps,
): Promise<TlsMaterial> => {
  const material = tlsMaterial(await readPem(files));
  const poll = async () => {
    while (!signal.aborted) {
      await clock.sleep(POLL_MS, signal);
      const next = await readPem(files).catch((error: unknown) => {
        log.warn({ err: error }, 'TLS files cannot be used; the earlier ones stay');
        return material.current();
      });
      if (isSame(next, material.current())) continue;
      material.replace(next);
      log.info({ certificate: files.certificateFile }, 'TLS files were read again');
    }
  };
  poll().catch(() => undefined);
  return material;
};

const isSame = (a: Pem, b: Pem): boolean =>
  a.ca === b.ca && a.certificate === b.certificate && a.key === b.key;

/**
 * Reads and checks the three files. Throws UNAVAILABLE naming the file that is missing or does not
 * fit.
 */
export const readPem = async (files: TlsFiles): Promise<Pem> => {
  const read = async (file: string) => {
    try {
      return await readFile(file, 'utf8');
    } catch (cause) {
      throw unavailable('STORE_UNAVAILABLE', `Cannot read the TLS file "${file}"`, { cause });
    }
  };
  const [ca, certificate, key] = await Promise.all([
    read(files.caFile),
    read(files.certificateFile),
    read(files.keyFile),
  ]);
  const pem = { ca, certificate, key };
  checkPair(pem, files);
  return pem;
};

const checkPair = (pem: Pem, files: TlsFiles): void => {
  let fits = false;
  try {
    fits = new X509Certificate(pem.certificate).checkPrivateKey(createPrivateKey(pem.key));
  } catch (cause) {
    throw unavailable('STORE_UNAVAILABLE', `Cannot parse "${files.certificateFile}"`, { cause });
  }
  if (fits) return;
  throw unavailable(
    'STORE_UNAVAILABLE',
    `The key "${files.keyFile}" does not belong to the certificate "${files.certificateFile}"`,
  );
};
