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
export const connectInThread = (file: string): SqliteConnection => {
  const program = new URL('./sqlite-thread.ts', import.meta.url);
  const worker = startThread(program, { file });
  const ended = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  const waiting: PromiseWithResolvers<QueryResult<unknown>>[] = [];
  worker.on('message', (answered: Answered) => {
    const first = waiting.shift();
    if ('result' in answered) first?.resolve(answered.result);
    else first?.reject(Object.assign(answered.error, answered.fields));
  });
  const ask = (asked: Asked): Promise<QueryResult<unknown>> => {
    const answer = Promise.withResolvers<QueryResult<unknown>>();
    worker.postMessage(asked);
    waiting.push(answer);
    return answer.promise;
  };
  let closing: Promise<void> | undefined;
  return {
    run: (sql, values) => {
      if (closing === undefined) return ask({ sql, values });
      return Promise.reject(new Error('The SQLite connection is closed'));
    },
    close: () => {
      closing ??= ask('close').then(() => ended);
      return closing;
    },
  };
};
