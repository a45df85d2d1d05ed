/**
 * The thread of the embedded coordinator on a disk that fails while `<file>.fails` is there; while
 * `<file>.dies` is there the thread dies instead.
 */
import { existsSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { syncToDisk } from '../../services/store/coordination/embedded/journal.ts';
import { serveCoordination } from '../../services/store/coordination/embedded/serve-coordination.ts';

serveCoordination({
  sync: async (descriptor) => {
    if (existsSync(`${workerData.file}.fails`)) throw new Error('EIO');
    if (existsSync(`${workerData.file}.dies`)) {
      await new Promise(() => {
        setImmediate(() => {
          throw new Error('the thread was to die');
        });
      });
    }
    await syncToDisk(descriptor);
  },
});
