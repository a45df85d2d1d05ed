/**
 * Which verb may take over a machine on which another operation is in progress. Everything that is
 * not in the table is ABORTED BUSY. README.md shows the same table; a test compares them.
 */
import type { Verb } from './operation.ts';

export const PREEMPTS: Readonly<Record<Verb, readonly Verb[]>> = {
  create: [],
  start: [],
  shutdown: [],
  stop: ['create', 'start', 'reset', 'shutdown', 'pause', 'resume'],
  reset: ['start', 'reset', 'shutdown'],
  pause: [],
  resume: [],
  delete: ['create', 'start', 'reset', 'shutdown', 'stop', 'pause', 'resume'],
};

export const preempts = (verb: Verb, running: Verb): boolean => PREEMPTS[verb].includes(running);
