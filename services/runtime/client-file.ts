import { request } from 'node:https';
import { unavailable } from './errors.ts';

export type PeopleFile = {
  /** "https://host:port" of the listener for people. */
  readonly endpoint: string;
  /** PEM of the CA that signed its certificate; absent = the system's. */
  readonly caPem?: string;
  readonly path: string;
  readonly timeoutMs: number;
};

const BYTES_MAX = 1024 * 1024;

/**
 * A small text that the listener for people gives to anybody. Undefined: it has none of that name.
 * Errors: unavailable SERVICE_UNAVAILABLE.
 */
export const fetchPeopleFile = (file: PeopleFile): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const { endpoint, caPem, path, timeoutMs } = file;
    const url = new URL(path, endpoint);
    const fail = (cause: Error) =>
      reject(unavailable('SERVICE_UNAVAILABLE', `Cannot read ${url.href}`, { cause }));
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = request(url, { signal, ...(caPem && { ca: caPem }), agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
        if (text.length > BYTES_MAX) answer.destroy(new Error('it is too long'));
      });
      answer.once('error', fail);
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else if (answer.statusCode === 404) resolve(undefined);
        else fail(new Error(`it was answered with ${answer.statusCode}`));
      });
    });
    asked.once('error', fail);
    asked.end();
  });
