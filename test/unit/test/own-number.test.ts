import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ownNumber } from '../../own-number.ts';

/** A kind of this run, as other runs may be under way. */
const numbers = (count: number) => ({ kind: `test-${process.pid}`, first: 1, last: count });

test('each number is had once, over all workers, until the one that has it ends', async (t) => {
  const range = numbers(3);
  t.deepEqual(new Set([ownNumber(range), ownNumber(range)]).size, 2);
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { ownNumber } = await import(workerData.module);
    parentPort.once('message', () => process.exit());
    parentPort.postMessage(ownNumber(workerData.range));`;
  const module = new URL('../../own-number.ts', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { module, range },
  });
  await new Promise((resolve) => worker.once('message', resolve));
  t.throws(() => ownNumber(range), { instanceOf: RangeError });
  worker.postMessage('end');
  await new Promise((resolve) => worker.once('exit', resolve));
  t.notThrows(() => ownNumber(range));
});
