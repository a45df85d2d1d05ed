/**
 * Serves guarded services to people over connect-node: gRPC, gRPC-Web, Connect and JSON on one TLS
 * port, with bearer tokens and no client certificate. Beside the RPCs: /live, /ready, /metrics and
 * a line at /.
 */
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createRegistry, type DescFile, type Registry } from '@bufbuild/protobuf';
import { type ContextValues, createConnectRouter, createContextValues } from '@connectrpc/connect';
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import { file_google_rpc_error_details } from '../../../gen/google/rpc/error_details_pb.ts';
import { file_runmachine_common_v1_error } from '../../../gen/runmachine/common/v1/error_pb.ts';
import type { Logger } from '../log.ts';
import type { TlsMaterial } from '../tls.ts';
import { answerCors } from './cors.ts';
import { createDownloads, type Downloads } from './downloads.ts';
import type { GuardedService } from './guard.ts';
import type { Listen, Mount } from './mount.ts';
import { type Peer, peerKey } from './peer.ts';
import { type ConnectionLimits, startPeopleServer } from './people-server.ts';
import { answerProbe, type Probes } from './probes.ts';
import { register } from './register.ts';
import { withReadableError } from './unreadable.ts';

export type PeopleMountOptions = {
  readonly services: readonly GuardedService[];
  readonly tls: TlsMaterial;
  readonly listen: Listen;
  readonly log: Logger;
  readonly probes: Probes;
  /** Origins of web pages that may call, "https://console.example"; empty = none. */
  readonly origins: readonly string[];
  /** Longest message that is read, in bytes; absent = 4 MiB. */
  readonly messageBytesMax?: number;
  readonly limits?: Partial<ConnectionLimits>;
  /** Files for anybody; absent = none. */
  readonly downloads?: Downloads;
};

const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Starts listening. Throws UNAVAILABLE naming the address when it cannot be taken. */
export const mountPeople = (options: PeopleMountOptions): Promise<Mount> => {
  const { tls, listen, log, limits } = options;
  const answer = createAnswer(options);
  const onRequest = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    answer(request, response).catch((error: unknown) => {
      // Mostly a client that went away; whatever the service did wrong was logged by its guard.
      log.debug({ err: error, path: request.url }, 'answer could not be sent');
      response.stream?.close();
      request.socket?.destroySoon?.();
    });
  };
  return startPeopleServer({ tls, listen, log, onRequest, ...(limits && { limits }) });
};

type AnswerRequest = (request: Http2ServerRequest, response: Http2ServerResponse) => Promise<void>;

const createAnswer = (options: PeopleMountOptions): AnswerRequest => {
  const origins = new Set(options.origins);
  // A misspelt field must not silently be left out.
  const jsonOptions = { registry: registryOf(options.services), ignoreUnknownFields: false };
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: options.messageBytesMax ?? MESSAGE_BYTES_MAX,
    jsonOptions,
  });
  register(router, options.services);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const answerDownload = createDownloads(options.downloads);
  return async (request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (answerCors(request, response, origins)) return;
    const handler = handlers.get((request.url ?? '').split('?', 1)[0] ?? '');
    if (handler === undefined) {
      if (await answerDownload(request, response)) return;
      await answerProbe(request, response, options.probes);
      return;
    }
    const asked = universalRequestFromNodeRequest(request, response, undefined, valuesOf(request));
    const answered = await withReadableError(await handler(asked), jsonOptions);
    await universalResponseToNodeResponse(answered, response);
  };
};

const valuesOf = (request: Http2ServerRequest): ContextValues => {
  const peer: Peer = {
    source: { kind: 'people' },
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    address: `${request.socket?.remoteAddress ?? ''}:${request.socket?.remotePort ?? ''}`,
  };
  return createContextValues().set(peerKey, peer);
};

/**
 * All message types that the services use: JSON writes the content of an Any only for a type that
 * it knows.
 */
const registryOf = (services: readonly GuardedService[]): Registry => {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file.name)) return;
    files.set(file.name, file);
    file.dependencies.forEach(add);
  };
  add(file_google_rpc_error_details);
  add(file_runmachine_common_v1_error);
  for (const { service } of services) add(service.file);
  return createRegistry(...files.values());
};
