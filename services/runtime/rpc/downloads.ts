import { createReadStream } from 'node:fs';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { pipeline } from 'node:stream/promises';

/** Plain files that the listener for people gives to anybody. */
export type Downloads = {
  /** By the path of the request; undefined = there is no such file. */
  readonly find: (path: string) => Promise<Download | undefined>;
};

export type Download =
  | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
  | {
      readonly kind: 'file';
      readonly contentType: string;
      readonly path: string;
      readonly sizeBytes: number;
    };

/** Of files that are sent at once: they are large, and nobody has to sign in for them. */
const FILES_AT_ONCE_MAX = 16;

type AnswerDownload = (
  request: Http2ServerRequest,
  response: Http2ServerResponse,
) => Promise<boolean>;

/** Answers GET and HEAD of what there is; false = it was not answered. */
export const createDownloads = (downloads: Downloads | undefined): AnswerDownload => {
  let sending = 0;
  return async (request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (downloads === undefined || !isRead) return false;
    const found = await downloads.find((request.url ?? '').split('?', 1)[0] ?? '');
    if (found === undefined) return false;
    const isFile = found.kind === 'file';
    if (isFile && request.method === 'GET' && sending >= FILES_AT_ONCE_MAX) {
      response.writeHead(503, { 'retry-after': '10' });
      response.end('too many downloads at once\n');
      return true;
    }
    response.writeHead(200, {
      'content-type': found.contentType,
      'content-length': isFile ? found.sizeBytes : Buffer.byteLength(found.text),
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    if (request.method === 'HEAD') response.end();
    else if (!isFile) response.end(found.text);
    else {
      sending += 1;
      await pipeline(createReadStream(found.path), response).finally(() => {
        sending -= 1;
      });
    }
    return true;
  };
};
