/**
 * `node deploy/start/bundle-cli.ts CACHE_DIR`: makes few files of runm's hundreds, because finding
 * and reading these is most of the time of a call. A process of its own, so that the bundler's
 * memory goes with it.
 *
 * runm.mjs reads `bundle.json` and takes the sources instead when one of them is newer than the
 * bundle.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from 'vite';
import { systemClock } from '../../services/runtime/clock.ts';
import { writeWhole } from './state-dir.ts';

const ROOT = join(import.meta.dirname, '../..');
/** A call that runs may still load a part of the bundle before this one. */
const KEPT = 2;

const bundle = async (cacheDir: string): Promise<void> => {
  const madeMs = systemClock.now().getTime();
  const name = `bundle-${madeMs}`;
  const built = await build({
    root: ROOT,
    configFile: false,
    envDir: false,
    publicDir: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: 'services/cli/main.ts',
      outDir: join(cacheDir, name),
      target: 'node26',
      minify: false,
      rolldownOptions: { output: { entryFileNames: '[name].mjs', chunkFileNames: '[hash].mjs' } },
    },
  });
  const outputs = 'output' in built ? built.output : [];
  const modules = outputs.flatMap((one) => (one.type === 'chunk' ? one.moduleIds : []));
  const sources = modules
    .map((file) => relative(ROOT, file))
    .filter((file) => /^(?:services|gen|package\.json)/.test(file));
  // The lock stands for all of node_modules.
  const manifest = { madeMs, root: ROOT, entry: `${name}/main.mjs`, sources };
  manifest.sources.push('package-lock.json', 'services/cli/runm.mjs');
  writeWhole(join(cacheDir, 'bundle.json'), JSON.stringify(manifest));
  const old = readdirSync(cacheDir).filter((one) => /^bundle-\d+$/.test(one));
  for (const one of old.toSorted().slice(0, -KEPT)) {
    rmSync(join(cacheDir, one), { recursive: true });
  }
};

const [cacheDir] = process.argv.slice(2);
if (cacheDir === undefined) throw new Error('the cache directory is missing');
await bundle(cacheDir);
