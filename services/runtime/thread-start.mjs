/**
 * What a thread of ours runs first: loads its program from the sources that it was given. Plain
 * JavaScript, since a thread that reads TypeScript itself holds a compiler of its own.
 */
import { registerHooks } from 'node:module';
import { workerData } from 'node:worker_threads';

const { program, sources } = workerData;

registerHooks({
  load: (url, context, next) => {
    const source = sources.get(url);
    if (source === undefined) return next(url, context);
    return { format: 'module', source, shortCircuit: true };
  },
});

await import(program);
