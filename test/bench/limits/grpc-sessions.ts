/**
 * The least that grpc-js needs to hold sessions open and to decode what comes: the limit of the
 * bench `heartbeat`.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  type SessionRequest,
  SessionRequestSchema,
  type SessionResponse,
  SessionResponseSchema,
} from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { serveParent } from '../serve-parent.ts';

const decodeRequest = (bytes: Buffer) => fromBinary(SessionRequestSchema, bytes);
const encodeRequest = (message: SessionRequest) =>
  Buffer.from(toBinary(SessionRequestSchema, message));
const decodeResponse = (bytes: Buffer) => fromBinary(SessionResponseSchema, bytes);
const encodeResponse = (message: SessionResponse) =>
  Buffer.from(toBinary(SessionResponseSchema, message));

const welcome = create(SessionResponseSchema, { content: { case: 'welcome', value: {} } });

const start = ({ pem }: { readonly pem: Pem }): Promise<number> => {
  const server = new Server();
  server.addService(
    {
      session: {
        path: '/runmachine.agent.v1.AgentService/Session',
        requestStream: true,
        responseStream: true,
        requestDeserialize: decodeRequest,
        requestSerialize: encodeRequest,
        responseDeserialize: decodeResponse,
        responseSerialize: encodeResponse,
      },
    },
    {
      session: (call: ServerDuplexStream<SessionRequest, SessionResponse>) => {
        call.on('data', ({ content }: SessionRequest) => {
          if (content.case === 'hello') call.write(welcome);
        });
        call.on('error', () => undefined);
      },
    },
  );
  const pair = { cert_chain: Buffer.from(pem.certificate), private_key: Buffer.from(pem.key) };
  const credentials = ServerCredentials.createSsl(Buffer.from(pem.ca), [pair], true);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
};

serveParent({ start, rssBytes: () => process.memoryUsage.rss() });
