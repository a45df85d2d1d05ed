/**
 * Lets go of all that listened to a stream of HTTP/2 once it is closed. Of each writable stream
 * Node makes a function that refers to it, and V8 puts a function that is assigned to a property
 * among the old objects at once. So what a stream refers to stays until the whole heap is
 * collected: in gRPC a call with its messages. Their buffers alone make V8 do that, for each 64 MiB
 * of them. https://github.com/nodejs/node/blob/v26.x/lib/internal/streams/writable.js
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Http2Stream } from 'node:http2';

const CLOSING = ['http2.server.stream.close', 'http2.client.stream.close'] as const;

/** Of every stream of the process from now on; once is enough. */
export const letGoOfClosedStreams = (): void => {
  for (const channel of CLOSING) {
    unsubscribe(channel, onClosing);
    subscribe(channel, onClosing);
  }
};

const onClosing = (message: unknown): void => {
  const { stream } = message as { readonly stream: Http2Stream };
  // Whoever listens as well is told too: who is told is settled before the first of them is.
  stream.once('close', () => {
    stream.removeAllListeners();
    // Nothing comes after its close; if an error did, nobody waits for it.
    stream.on('error', ignore);
  });
};

const ignore = (): void => undefined;
