/** In place of sqlite-thread.ts: a thread that ends when it is asked something. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => process.exit(0));
