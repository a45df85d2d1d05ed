import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentBundle } from '../../services/agent-downloads.ts';

/** Where a bundle is put together; a build that was killed leaves some hundred megabytes there. */
export const WORK_PREFIX = '.work-';
/** Longer than a build takes: another one may be under way. */
const WORK_MS_MAX = 3_600_000;

export const removeLeftWork = (outputDir: string, now: Date): void => {
  for (const name of readdirSync(outputDir)) {
    const path = join(outputDir, name);
    if (!name.startsWith(WORK_PREFIX)) continue;
    if (now.getTime() - statSync(path).mtimeMs < WORK_MS_MAX) continue;
    rmSync(path, { recursive: true, force: true });
  }
};

/** Earlier bundles, which no installer names any more. */
export const removeOldBundles = (outputDir: string, bundles: readonly AgentBundle[]): void => {
  const kept = new Set(bundles.map(({ sha256 }) => `${sha256}.tar.gz`));
  for (const name of readdirSync(outputDir)) {
    if (/^[0-9a-f]{64}\.tar\.gz$/.test(name) && !kept.has(name)) rmSync(join(outputDir, name));
  }
};
