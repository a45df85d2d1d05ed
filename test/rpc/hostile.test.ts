/**
 * Input that no client of ours sends. Whatever it is, the process answers or hangs up, and goes on
 * serving.
 */
import { randomBytes } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import fc from 'fast-check';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { type Fixture, MACHINE, startFixture } from './fixture.ts';
import { http1, http2, type RawRequest, rawTls } from './raw-http.ts';

let fixture: Fixture;
/** Gives up soon on headers that do not come to their end. */
let impatient: Fixture;
test.before(async () => {
  fixture = await startFixture();
  impatient = await startFixture({ connections: { headersMs: 1_000 } });
});
test.after.always(() => Promise.all([fixture.stop(), impatient.stop()]));

const PATH = '/runmachine.machine.v1.MachineService/GetMachine';
const AUTHORIZATION = { authorization: 'Bearer admin-token' };
const json = (body: string): RawRequest => ({
  path: PATH,
  headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
  body,
});

test.afterEach('the process still serves', async (t) => {
  const client = createClient(MachineService, fixture.transports.people);
  t.is((await client.getMachine({ name: MACHINE })).machine?.name, MACHINE);
  const inner = createClient(MachineService, fixture.transports.grpcJs);
  t.is((await inner.getMachine({ name: MACHINE })).machine?.name, MACHINE);
});

const BODIES: Readonly<Record<string, string>> = {
  'no JSON': '{"name": ',
  'a number': '42',
  'a list': '[]',
  'a million brackets': '['.repeat(1_000_000),
  'objects 50 000 deep': '{"machine":'.repeat(50_000),
  'a name of a megabyte': JSON.stringify({ name: 'x'.repeat(1_000_000) }),
  'a lone surrogate': '{"name":"\\ud800"}',
  'a NUL': JSON.stringify({ name: 'partitions/\u0000' }),
  'a wrong type': '{"name":{"a":1}}',
  ['__proto__']: '{"__proto__":{"name":"x"}}',
};

for (const [what, body] of Object.entries(BODIES)) {
  test(`JSON with ${what} is refused`, async (t) => {
    const answer = await http1(fixture, json(body));
    t.is(answer.status, 400, answer.body.slice(0, 200));
    t.true(answer.body.length < 8_000);
  });
}

test('a message above the limit is refused on both listeners', async (t) => {
  const answer = await http1(fixture, json(JSON.stringify({ name: 'x'.repeat(5_000_000) })));
  t.is(answer.status, 429, answer.body.slice(0, 200));
  const client = createClient(MachineService, fixture.transports.grpcJs);
  await t.throwsAsync(client.getMachine({ name: 'x'.repeat(5_000_000) }), {
    message: /resource_exhausted/,
  });
});

test('a small compressed message that unfolds into a large one is refused', async (t) => {
  const { gzipSync } = await import('node:zlib');
  const answer = await http1(fixture, {
    path: PATH,
    headers: {
      ...AUTHORIZATION,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    },
    body: gzipSync(Buffer.alloc(200_000_000, 0x20)),
  });
  t.true(answer.status >= 400, answer.body.slice(0, 200));
});

test('garbage instead of a message is refused as the message that it is not', async (t) => {
  const { createChannels } = await import('../../services/runtime/rpc/grpc-channels.ts');
  const { Metadata } = await import('@grpc/grpc-js');
  const channels = createChannels({
    addresses: () => [`127.0.0.1:${fixture.machines.port}`],
    tls: await fixture.authority.service('scheduler'),
  });
  t.teardown(channels.close);
  const client = await channels.ready(Number.POSITIVE_INFINITY, undefined);
  const send = (bytes: Buffer) =>
    new Promise<string>((resolve) => {
      const asIs = (one: Buffer) => one;
      const done = (error: Error | null) => resolve(error?.message ?? 'OK');
      client.makeUnaryRequest(PATH, asIs, asIs, bytes, new Metadata(), {}, done);
    });
  t.regex(await send(Buffer.from([0xff, 0xff, 0xff])), /^3 INVALID_ARGUMENT: .*GetMachineRequest/);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      t.regex(await send(Buffer.from(bytes)), /^3 INVALID_ARGUMENT/);
    }),
    { numRuns: 50 },
  );
  // Groups within groups: the wire form that needs no length.
  t.regex(await send(Buffer.alloc(3_000_000, 0x0b)), /^3 INVALID_ARGUMENT/);
});

test('bytes that are no HTTP end the connection', async (t) => {
  for (const protocols of [[], ['h2'], ['http/1.1']]) {
    const socket = await rawTls(impatient, protocols);
    socket.write(randomBytes(100_000));
    socket.resume();
    await eventually(() => socket.closed || socket.destroyed, { message: 'the connection ended' });
  }
  t.pass();
});

test('headers that are too large, too many or strange are refused', async (t) => {
  const big = await http1(fixture, {
    path: PATH,
    headers: { ...AUTHORIZATION, 'x-big': 'x'.repeat(60_000) },
  });
  t.is(big.status, 431);
  const odd = await http1(fixture, {
    ...json(JSON.stringify({ name: MACHINE })),
    headers: {
      ...AUTHORIZATION,
      'content-type': 'application/json',
      'x-request-id': 'a b{c}',
      'connect-timeout-ms': '99999999999999999999',
    },
  });
  t.is(odd.status, 400, odd.body);
  const session = http2(fixture);
  const stream = session.request({ ':path': PATH, ':method': 'POST', 'x-big': 'x'.repeat(60_000) });
  await new Promise<void>((resolve) => {
    stream.on('error', () => resolve());
    stream.on('response', () => resolve());
    stream.on('close', () => resolve());
  });
  session.destroy();
});

test('a request without a host or with a strange path is answered', async (t) => {
  for (const head of [
    `POST ${PATH} HTTP/1.0\r\n`,
    'POST //%00 HTTP/1.1\r\nHost: [\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: \r\n',
    `POST ${PATH} HTTP/1.1\r\nHost: a b\r\n`,
    `GET ${PATH}?connect=v1&encoding=json&base64=1&message=%%% HTTP/1.1\r\nHost: x\r\n`,
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\nTE: trailers\r\n`,
  ]) {
    const socket = await rawTls(impatient, ['http/1.1']);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.write(`${head}Connection: close\r\nContent-Length: 0\r\n\r\n`);
    await eventually(() => socket.closed, { message: `an end after ${JSON.stringify(head)}` });
    t.regex(answer, /^(HTTP\/1\.1 \d{3}|$)/);
  }
});

test('streams that are opened and reset by the thousand do no harm', async (t) => {
  const session = http2(fixture);
  for (let at = 0; at < 3_000 && !session.destroyed && !session.closed; at += 1) {
    try {
      const stream = session.request({ ':path': PATH, ':method': 'POST' });
      stream.on('error', () => undefined);
      stream.close(8);
    } catch {
      break;
    }
  }
  await eventually(() => fixture.pipeline.activeCount() === 0);
  session.destroy();
  t.pass();
});

test('a body that stops in the middle keeps nothing busy after its client left', async (t) => {
  const socket = await rawTls(fixture, ['http/1.1']);
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
  );
  socket.destroy();
  await eventually(() => fixture.pipeline.activeCount() === 0);
  t.pass();
});
