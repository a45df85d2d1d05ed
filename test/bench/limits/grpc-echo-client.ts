/**
 * The least that grpc-js needs to call an echo over mTLS. Run alone it starts the server beside it
 * and prints what it reached: `node test/bench/limits/grpc-echo-client.ts`.
 */

import { randomUUID } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import {
  type UpdateMachineRequest,
  UpdateMachineRequestSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { createAuthority } from '../../support/certificates.ts';
import { startChild } from '../child.ts';
import { closedLoop, type LoadResult } from '../closed-loop.ts';
import { CALLER, exampleRequest, SERVER } from '../rpc-message.ts';
import { hasParent, serveParent } from '../serve-parent.ts';
import { ECHO_PATH } from './grpc-echo-path.ts';

let echo: () => Promise<void> = () => Promise.reject(new Error('not connected yet'));

const connect = ({ pem, port }: { readonly pem: Pem; readonly port: number }): void => {
  const [ca, key, certificate] = [pem.ca, pem.key, pem.certificate].map((text) =>
    Buffer.from(text),
  );
  const secure = credentials.createSsl(ca, key, certificate);
  // By name: Node refuses an IP address as the TLS server name.
  const client = new Client(`localhost:${port}`, secure, { 'grpc.enable_http_proxy': 0 });
  const decode = (bytes: Buffer) => fromBinary(UpdateMachineRequestSchema, bytes);
  const encode = (message: UpdateMachineRequest) =>
    Buffer.from(toBinary(UpdateMachineRequestSchema, message));
  echo = () =>
    new Promise((resolve, reject) => {
      const deadline = { deadline: systemClock.now().getTime() + 10_000 };
      const request = exampleRequest(randomUUID());
      client.makeUnaryRequest(
        ECHO_PATH,
        encode,
        decode,
        request,
        new Metadata(),
        deadline,
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
};

const load = (args: { concurrency: number; durationMs: number }): Promise<LoadResult> =>
  closedLoop({ ...args, call: () => echo() });

const runAlone = async (): Promise<void> => {
  const authority = await createAuthority();
  await using server = startChild('limits/grpc-echo-server.ts');
  const port = await server.ask<number>('start', {
    pem: (await authority.service(SERVER)).current(),
  });
  connect({ port, pem: (await authority.service(CALLER)).current() });
  await load({ concurrency: 32, durationMs: 2_000 });
  console.log(JSON.stringify(await load({ concurrency: 32, durationMs: 5_000 })));
  process.exit();
};

if (hasParent()) serveParent({ connect, load });
else await runAlone();
