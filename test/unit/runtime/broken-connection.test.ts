/** Whatever breaks under a call of people, it is told as what may be asked again. */
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { RetryInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { createPeopleTransport } from '../../../services/runtime/client.ts';

/** What a caller may send again, as a program of people sees it. */
const PASSING = new Set([Code.Unavailable, Code.Aborted]);

type Break = (stream: ServerHttp2Stream) => void;

const HEAD = { ':status': 200, 'content-type': 'application/proto' };

const WAYS: Readonly<Record<string, Break>> = {
  'its socket is reset': (stream) => stream.session?.socket.destroy(),
  'its session is destroyed': (stream) => stream.session?.destroy(),
  'its session ends with an error': (stream) => stream.session?.destroy(new Error('x'), 2),
  'its stream is reset as an internal error': (stream) => stream.close(2),
  'its stream is reset as cancelled': (stream) => stream.close(8),
  'its stream is refused': (stream) => stream.close(7),
  'its session goes away amid the answer': (stream) => {
    stream.respond(HEAD);
    stream.write(Buffer.from([10]), () => stream.session?.destroy(new Error('x'), 2));
  },
};

for (const [way, broken] of Object.entries(WAYS)) {
  test(`a call under which ${way} may be made again`, async (t) => {
    await using made = new AsyncDisposableStack();
    const server: Http2Server = createServer();
    server.on('session', (session) => session.on('error', () => undefined));
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      broken(stream);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    made.defer(() => void server.close());
    const { port } = server.address() as AddressInfo;
    await isPassing(t, port, made);
  });
}

const isPassing = async (
  t: ExecutionContext,
  port: number,
  made: AsyncDisposableStack,
): Promise<void> => {
  const { transport, close } = createPeopleTransport({ endpoint: `http://127.0.0.1:${port}` });
  made.defer(close);
  const client = createClient(ProviderService, transport);
  const error = await t.throwsAsync(client.createProvider({ parent: 'partitions/lab' }), {
    instanceOf: ConnectError,
  });
  t.true(PASSING.has(error?.code ?? Code.Internal), `${error?.code}: ${error?.message}`);
  if (error?.code !== Code.Unavailable) return;
  t.is(error.findDetails(RetryInfoSchema).length, 1, 'and it is said when');
};

test('what the caller calls off himself stays called off', async (t) => {
  const server: Http2Server = createServer();
  const off = new AbortController();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    off.abort();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { transport, close } = createPeopleTransport({ endpoint: `http://127.0.0.1:${port}` });
  t.teardown(() => {
    close();
    server.close();
  });
  const client = createClient(ProviderService, transport);
  const call = client.createProvider({ parent: 'partitions/lab' }, { signal: off.signal });
  t.is((await t.throwsAsync(call, { instanceOf: ConnectError }))?.code, Code.Canceled);
});
