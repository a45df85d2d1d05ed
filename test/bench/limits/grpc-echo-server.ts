/**
 * The least that grpc-js needs to answer a message with itself over mTLS: the limit of the bench
 * `rpc`.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import {
  type UpdateMachineRequest,
  UpdateMachineRequestSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { serveParent } from '../serve-parent.ts';
import { ECHO_PATH } from './grpc-echo-path.ts';

const start = ({ pem }: { readonly pem: Pem }): Promise<number> => {
  const server = new Server();
  const decode = (bytes: Buffer) => fromBinary(UpdateMachineRequestSchema, bytes);
  const encode = (message: UpdateMachineRequest) =>
    Buffer.from(toBinary(UpdateMachineRequestSchema, message));
  server.addService(
    {
      echo: {
        path: ECHO_PATH,
        requestStream: false,
        responseStream: false,
        requestDeserialize: decode,
        requestSerialize: encode,
        responseDeserialize: decode,
        responseSerialize: encode,
      },
    },
    {
      echo: (
        call: ServerUnaryCall<UpdateMachineRequest, UpdateMachineRequest>,
        done: sendUnaryData<UpdateMachineRequest>,
      ) => done(null, call.request),
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

serveParent({ start });
