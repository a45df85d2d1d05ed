/**
 * What the listener for people offers to hosts that join: the CA, the installer, the bundles by
 * their SHA-256, and a manifest that says what there is. Anybody may read it; nothing in it is
 * secret, and the CA's fingerprint in the join line makes the rest trusted.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Download, Downloads } from './runtime/rpc/downloads.ts';

export type AgentBundle = {
  /** As `uname -m` says it. */
  readonly architecture: 'x86_64' | 'aarch64';
  readonly sha256: string;
  readonly sizeBytes: number;
};

export type AgentBundles = {
  readonly version: string;
  readonly installerSha256: string;
  readonly bundles: readonly AgentBundle[];
};

/** Of /agent/manifest.json; read by `runm agent token create`. */
export type AgentManifest = AgentBundles & {
  /** host:port where agents connect; empty = the host that was asked, at `machinePort`. */
  readonly machineAddresses: readonly string[];
  readonly machinePort: number;
};

export const BUNDLES_FILE = 'bundles.json';
export const INSTALLER_FILE = 'install.sh';

export type AgentDownloadOptions = {
  /** Holds what deploy/agent-bundle/build.ts made. */
  readonly directory: string;
  readonly caPem: () => string;
  readonly machineAddresses: readonly string[];
  readonly machinePort: number;
  /** Makes what is in the directory where it is not there yet; called once at a time. */
  readonly prepare?: () => Promise<void>;
};

const TAR = /^\/agent\/([0-9a-f]{64}\.tar\.gz)$/;

export const agentDownloads = (options: AgentDownloadOptions): Downloads => {
  const { directory } = options;
  let preparing: Promise<void> | undefined;
  const prepared = async (): Promise<void> => {
    if (options.prepare === undefined) return;
    preparing ??= options.prepare().finally(() => {
      preparing = undefined;
    });
    await preparing;
  };
  return {
    find: async (path) => {
      if (path === '/agent/ca.pem') return textOf('application/x-pem-file', options.caPem());
      if (path === '/agent/manifest.json') {
        await prepared();
        const manifest = await manifestOf(options);
        return manifest && textOf('application/json', `${JSON.stringify(manifest)}\n`);
      }
      if (path === `/agent/${INSTALLER_FILE}`) return fileOf(join(directory, INSTALLER_FILE));
      const [, name] = TAR.exec(path) ?? [];
      return name === undefined ? undefined : fileOf(join(directory, name));
    },
  };
};

const manifestOf = async (options: AgentDownloadOptions): Promise<AgentManifest | undefined> => {
  const text = await readFile(join(options.directory, BUNDLES_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const bundles: AgentBundles = JSON.parse(text);
  const { machineAddresses, machinePort } = options;
  return { ...bundles, machineAddresses, machinePort };
};

const textOf = (contentType: string, text: string): Download => ({
  kind: 'text',
  contentType,
  text,
});

const fileOf = async (path: string): Promise<Download | undefined> => {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  return { kind: 'file', contentType: 'application/octet-stream', path, sizeBytes: found.size };
};
