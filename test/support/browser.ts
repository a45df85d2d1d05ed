import { createHash, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:tls';
import { type BrowserContext, chromium } from 'playwright-core';
import { build } from 'vite';
import type { Program } from '../../deploy/tools/program.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A web site of somebody else: one page with one script, on an origin of its own. */
export type Site = AsyncDisposable & { readonly origin: string };

export const serveScript = async (script: string): Promise<Site> => {
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    const type = isScript ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    response.end(isScript ? script : '<!doctype html><script src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** Bundles a TypeScript source and all that it imports into one script. */
export const bundle = async (entry: string): Promise<string> => {
  const made = await build({
    configFile: false,
    logLevel: 'silent',
    publicDir: false,
    build: { write: false, lib: { entry, formats: ['iife'], name: 'page' } },
  });
  const outputs = Array.isArray(made) ? made : [made];
  for (const one of outputs) {
    if (!('output' in one)) continue;
    const [chunk] = one.output;
    return chunk.code;
  }
  throw new Error(`vite made nothing of ${entry}`);
};

export type Browser = AsyncDisposable & { readonly context: BrowserContext };

/** Quiet, without a sandbox, and without talking to anybody but the pages it is given. */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** A browser with an empty profile that trusts the servers with these public keys. */
export const startBrowser = async (
  program: Program,
  trustedKeys: readonly string[],
): Promise<Browser> => {
  const profile = temporaryDir();
  const context = await chromium.launchPersistentContext(profile.path, {
    executablePath: program.path,
    env: { ...process.env, ...program.env, HOME: profile.path },
    args: [...FLAGS, `--ignore-certificate-errors-spki-list=${trustedKeys.join(',')}`],
    timeout: 180_000,
  });
  context.setDefaultTimeout(180_000);
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      profile[Symbol.dispose]();
    },
  };
};

/**
 * SHA-256 of a server's public key, in the form in which browsers take it: they cannot be given a
 * CA. Throws unless that CA signed the server's certificate.
 */
export const trustedKeyOf = (endpoint: string, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(endpoint);
    const socket = connect({ host, port: Number(port), ca }, () => {
      const { publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
      const key = publicKey.export({ type: 'spki', format: 'der' });
      socket.destroy();
      resolve(createHash('sha256').update(key).digest('base64'));
    });
    socket.once('error', reject);
  });
