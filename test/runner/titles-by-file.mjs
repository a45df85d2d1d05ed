import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Loaded by AVA's workers: where test files share a worker (unit-groups.ts), each gets an `ava`
 * whose titles begin with the file's name, so that they are told apart and found.
 */
if (process.env.RUNM_TEST_GROUPED === '1') {
  const unit = new URL('../', import.meta.url).href;
  const titled = new URL('./titled-ava.mjs', import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) => {
      const parent = context.parentURL ?? '';
      if (specifier !== 'ava' || !parent.startsWith(unit) || !parent.endsWith('.test.ts')) {
        return next(specifier, context);
      }
      const name = fileURLToPath(parent).slice(fileURLToPath(unit).length, -'.test.ts'.length);
      return { url: `${titled}?file=${encodeURIComponent(name)}`, shortCircuit: true };
    },
  });
}
