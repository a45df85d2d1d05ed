import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Loaded by AVA's workers before anything else (ava.config.js): each test file has a worker of its
 * own, and without this each would strip and compile AVA and the services again. A folder that
 * cannot be written, as in somebody else's checkout, only makes them slower. Coverage needs code
 * that was compiled in the same process.
 */
const folder = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));
if (process.env.NODE_V8_COVERAGE === undefined) enableCompileCache(folder);
