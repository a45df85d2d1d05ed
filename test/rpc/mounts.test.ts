import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import test from 'ava';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { InvalidStateSchema } from '../../gen/runmachine/common/v1/error_pb.ts';
import { ConsoleService } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import { ImagePartRole } from '../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { type Fixture, MACHINE, PROJECT, startFixture } from './fixture.ts';

let fixture: Fixture;
test.before(async () => {
  fixture = await startFixture();
});
test.after.always(() => fixture.stop());

type Way = (fixture: Fixture) => Transport;

const withToken = (f: Fixture) => ({
  baseUrl: f.endpoint,
  nodeOptions: { ca: f.authority.ca },
  interceptors: [
    (next) => (request) => {
      request.header.set('authorization', 'Bearer admin-token');
      return next(request);
    },
  ] satisfies Parameters<typeof createGrpcTransport>[0]['interceptors'],
});

const WAYS: Readonly<Record<string, Way>> = {
  'grpc-js with mTLS': (f) => f.transports.grpcJs,
  'the calls of one process': (f) => f.transports.inMemory,
  'Connect over HTTP/2': (f) => f.transports.people,
  'gRPC over HTTP/2': (f) => createGrpcTransport(withToken(f)),
  'gRPC-Web over HTTP/1.1': (f) => createGrpcWebTransport({ ...withToken(f), httpVersion: '1.1' }),
  'JSON over HTTP/1.1': (f) =>
    createConnectTransport({ ...withToken(f), httpVersion: '1.1', useBinaryFormat: false }),
};

for (const [name, way] of Object.entries(WAYS)) {
  test(`a handler answers over ${name}, and the request id comes back`, async (t) => {
    const client = createClient(MachineService, way(fixture));
    let header = new Headers();
    const headers = { 'x-request-id': 'request-0815' };
    const { machine } = await client.getMachine(
      { name: MACHINE },
      { headers, onHeader: (got) => (header = got) },
    );
    t.is(machine?.name, MACHINE);
    t.is(machine?.uid, 'request-0815');
    t.is(header.get('x-request-id'), 'request-0815');
  });

  test(`an error keeps code, message and details over ${name}`, async (t) => {
    const client = createClient(MachineService, way(fixture));
    const error = await t.throwsAsync(client.getMachine({ name: `${PROJECT}/machines/stopped` }), {
      instanceOf: ConnectError,
    });
    t.is(error.code, Code.FailedPrecondition);
    t.is(error.rawMessage, 'The machine is stopped, not active');
    const [info] = error.findDetails(ErrorInfoSchema);
    t.like(info, { reason: 'INVALID_STATE', domain: 'runmachine' });
    t.deepEqual(info?.metadata, { machine: `${PROJECT}/machines/stopped` });
    const [state] = error.findDetails(InvalidStateSchema);
    t.like(state, { state: 'STOPPED', allowed: ['ACTIVE'] });
  });

  test(`a bug shows only its incident over ${name}`, async (t) => {
    const client = createClient(MachineService, way(fixture));
    const error = await t.throwsAsync(client.getMachine({ name: `${PROJECT}/machines/broken` }), {
      instanceOf: ConnectError,
    });
    t.is(error.code, Code.Internal);
    t.notRegex(error.message, /secret/);
    const [info] = error.findDetails(ErrorInfoSchema);
    t.regex(error.message, new RegExp(info?.metadata.incident ?? 'none'));
  });

  test(`a server stream is read at the reader's pace over ${name}`, async (t) => {
    const parent = `partitions/lab/projects/${name.replace(/[^a-z]/gi, '')}`;
    const client = createClient(MachineService, way(fixture));
    const tokens: number[] = [];
    const abort = new AbortController();
    const reading = async () => {
      for await (const { resumeToken } of client.watchMachines(
        { parent },
        { signal: abort.signal },
      )) {
        tokens.push(Number.parseInt(resumeToken, 10));
        // Leaving the loop alone does not end a call of Connect.
        if (tokens.length === 20) abort.abort();
      }
    };
    const error = await t.throwsAsync(reading(), { instanceOf: ConnectError });
    t.is(error.code, Code.Canceled);
    t.deepEqual(
      tokens,
      Array.from({ length: 20 }, (_, at) => at),
    );
    // 4 KiB each: what is in flight fits the windows of HTTP/2 and of the sockets.
    t.true((fixture.seen.get(parent) ?? 0) < 4_000, `${fixture.seen.get(parent)} were made`);
    const message = 'the handler hears that its reader left, which';
    await eventually(() => fixture.seen.has(`${parent} ended`), { message });
  });
}

for (const name of ['grpc-js with mTLS', 'the calls of one process', 'gRPC over HTTP/2']) {
  test(`both directions of a stream work over ${name}`, async (t) => {
    const way = WAYS[name];
    t.truthy(way);
    if (way === undefined) return;
    const client = createClient(ConsoleService, way(fixture));
    async function* typed() {
      yield { content: { case: 'open' as const, value: { name: MACHINE } } };
      yield { content: { case: 'data' as const, value: Buffer.from('hello') } };
    }
    const got: string[] = [];
    for await (const { content } of client.attachConsole(typed())) {
      if (content.case === 'data') got.push(Buffer.from(content.value).toString());
      else got.push(content.case ?? '');
    }
    t.deepEqual(got, ['opened', 'HELLO', 'closed']);
  });

  test(`a client stream arrives whole over ${name}`, async (t) => {
    const way = WAYS[name];
    t.truthy(way);
    if (way === undefined) return;
    const client = createClient(ImageService, way(fixture));
    async function* parts() {
      const role = ImagePartRole.KERNEL;
      yield { content: { case: 'header' as const, value: { name: 'images/debian', role } } };
      for (let at = 0; at < 40; at += 1) {
        yield { content: { case: 'data' as const, value: Buffer.alloc(100_000) } };
      }
    }
    const { image } = await client.uploadImagePart(parts());
    t.is(image?.uid, '4000000');
  });
}

test('a service that does not run here is named', async (t) => {
  const { IdentityService } = await import(
    '../../gen/runmachine/identity/v1/identity_service_pb.ts'
  );
  const client = createClient(IdentityService, fixture.transports.people);
  const error = await t.throwsAsync(client.whoAmI({}), { instanceOf: ConnectError });
  t.is(error.code, Code.Unavailable);
  t.is(error.findDetails(ErrorInfoSchema)[0]?.reason, 'SERVICE_UNAVAILABLE');
  t.regex(error.message, /runmachine\.identity\.v1\.IdentityService/);
});
