/** A connection to an SQLite file, in this thread or in one of its own. */
import type { QueryResult } from 'kysely';
import { startThread } from '../../runtime/thread.ts';
import { openStatements, type Value } from './sqlite-statements.ts';

export type SqliteConnection = {
  readonly run: (sql: string, values: readonly Value[]) => Promise<QueryResult<unknown>>;
  readonly close: () => Promise<void>;
};

export const connectHere = (file: string): SqliteConnection => {
  const statements = openStatements(file);
  return {
    run: async (sql, values) => statements.run(sql, values),
    close: async () => statements.close(),
  };
};

export type Asked = { readonly sql: string; readonly values: readonly Value[] } | 'close';
/** `fields` are those of an error that are lost on the way. */
export type Answered =
  | { readonly result: QueryResult<unknown> }
  | { readonly error: Error; readonly fields: object };

/**
 * In a thread of its own: what statements cost, and how long a commit waits for the disk, is not
 * taken from the thread that serves. Should that thread fail, the process does.
 */
export const connectInThread = (file: string, program = PROGRAM): SqliteConnection => {
  const worker = startThread(program, { file });
  const waiting: PromiseWithResolvers<QueryResult<unknown>>[] = [];
  let isGone = false;
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      isGone = true;
      for (const { reject } of waiting.splice(0)) reject(closed());
      resolve();
    });
  });
  worker.on('message', (answered: Answered) => {
    const first = waiting.shift();
    if ('result' in answered) first?.resolve(answered.result);
    else first?.reject(Object.assign(answered.error, answered.fields));
  });
  const ask = async (asked: Asked): Promise<QueryResult<unknown>> => {
    if (isGone) throw closed();
    const answer = Promise.withResolvers<QueryResult<unknown>>();
    worker.postMessage(asked);
    waiting.push(answer);
    return answer.promise;
  };
  let closing: Promise<void> | undefined;
  return {
    run: async (sql, values) => {
      if (closing !== undefined) throw closed();
      return ask({ sql, values });
    },
    close: () => {
      closing ??= isGone ? ended : ask('close').then(() => ended);
      return closing;
    },
  };
};

const PROGRAM = new URL('./sqlite-thread.ts', import.meta.url);

const closed = (): Error => new Error('The SQLite connection is closed');
