/** The thread that sqlite-connection.ts starts: runs what it is asked, in turn. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import type { QueryResult } from 'kysely';
import type { Answered, Asked } from './sqlite-connection.ts';
import { openStatements, type Statements } from './sqlite-statements.ts';

assert(parentPort !== null);
const port = parentPort;
let statements: Statements | undefined;

/** Opens the file when it is first asked something, so that an error finds who waits for it. */
const answerTo = (asked: Asked): QueryResult<unknown> => {
  if (asked !== 'close') {
    statements ??= openStatements(String(workerData.file));
    return statements.run(asked.sql, asked.values);
  }
  statements?.close();
  return { rows: [] };
};

port.on('message', (asked: Asked) => {
  let answered: Answered;
  try {
    answered = { result: answerTo(asked) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    answered = { error, fields: { ...error } };
  }
  port.postMessage(answered);
  if (asked === 'close') port.close();
});
