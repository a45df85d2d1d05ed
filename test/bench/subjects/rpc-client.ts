/** A service that calls another one: the typed client over our grpc-js transport. */
import { randomUUID } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createGrpcJsTransport } from '../../../services/runtime/rpc/grpc-js-transport.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { closedLoop, type LoadResult } from '../closed-loop.ts';
import { exampleRequest, SERVER } from '../rpc-message.ts';
import { serveParent } from '../serve-parent.ts';

let update: () => Promise<void> = () => Promise.reject(new Error('not connected yet'));

const connect = ({ pem, port }: { readonly pem: Pem; readonly port: number }): void => {
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${port}`],
    tls: tlsMaterial(pem),
    serverId: `spiffe://${CLUSTER}/service/${SERVER}`,
  });
  const client = createClient(MachineService, transport);
  update = async () => {
    await client.updateMachine(exampleRequest(randomUUID()));
  };
};

const load = (args: { concurrency: number; durationMs: number }): Promise<LoadResult> =>
  closedLoop({ ...args, call: () => update() });

serveParent({ connect, load });
