#!/usr/bin/env node
// The entry of npx and of the shim. Plain JavaScript, so that an old Node gets a sentence and not a
// syntax error.
import { readFileSync, statSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  process.stderr.write(
    `runm needs Node 26, this is ${process.version}. Run it as \`npx runm\` inside the checkout, ` +
      'or use the runm that `npm start` put beside its state.\n',
  );
  process.exit(2);
}

/**
 * Set by the shim: where deploy/start/bundle-cli.ts put the bundle and where compiled code may be
 * kept.
 */
const cacheDir = process.env.RUNM_CACHE_DIR;

/** The bundle, unless there is none or a source was changed or removed since: then the sources. */
const entry = () => {
  const sources = new URL('./main.ts', import.meta.url).href;
  if (!cacheDir) return sources;
  try {
    const bundle = JSON.parse(readFileSync(join(cacheDir, 'bundle.json'), 'utf8'));
    const isCurrent = (file) => statSync(join(bundle.root, file)).mtimeMs <= bundle.madeMs;
    const isOurs = import.meta.filename === join(bundle.root, 'services/cli/runm.mjs');
    const isFresh = isOurs && bundle.sources.every(isCurrent);
    return isFresh ? pathToFileURL(join(cacheDir, bundle.entry)).href : sources;
  } catch {
    return sources;
  }
};

module.enableCompileCache?.(cacheDir ? join(cacheDir, 'compiled') : undefined);
const { main } = await import(entry());
process.exitCode = await main(process.argv.slice(2));
