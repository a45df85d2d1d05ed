/** A client that vanished without closing its connection keeps no call open. */
import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import type { ConnectionLimits } from '../../services/runtime/rpc/people-server.ts';
import { eventually } from '../support/eventually.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Fixture, startFixture } from './fixture.ts';
import { http2, rawTls } from './raw-http.ts';

const WATCH = '/runmachine.machine.v1.MachineService/WatchMachines';
const HEADERS = {
  authorization: 'Bearer admin-token',
  'content-type': 'application/connect+json',
};

/** Of a stream that says nothing; a frame of the Connect protocol. */
const body = (): Buffer => {
  const json = Buffer.from(JSON.stringify({ parent: 'partitions/lab/projects/idle' }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
};

const start = async (t: ExecutionContext, limits: Partial<ConnectionLimits>) => {
  const fixture = await startFixture({ connections: limits });
  t.teardown(fixture.stop);
  return fixture;
};

/** A connection on which that stream has begun. */
const watching = async (t: ExecutionContext, fixture: Fixture, port = fixture.people.port) => {
  const session = http2(fixture, port);
  t.teardown(() => session.destroy());
  let pings = 0;
  session.on('ping', () => {
    pings += 1;
  });
  const stream = session.request({ ':method': 'POST', ':path': WATCH, ...HEADERS });
  stream.on('error', () => undefined);
  stream.end(body());
  await eventually(() => fixture.pipeline.activeCount() === 1, { message: 'the stream begins' });
  return { pings: () => pings };
};

test('a stream ends when its client no longer answers, though nothing was closed', async (t) => {
  const fixture = await start(t, { askMs: 50, answerMs: 3_000 });
  await using proxy = await startTcpProxy(fixture.people.port);
  await watching(t, fixture, proxy.port);
  proxy.swallowAnswers();
  await eventually(() => fixture.pipeline.activeCount() === 0, { message: 'the stream ends' });
  t.pass();
});

test('a silent client that answers keeps its stream', async (t) => {
  const fixture = await start(t, { askMs: 20, answerMs: 60_000, idleMs: 100 });
  const { pings } = await watching(t, fixture);
  // The next one is sent only when the one before was answered.
  await eventually(() => pings() > 10, { message: 'pings come' });
  t.is(fixture.pipeline.activeCount(), 1);
});

/** What the system does next on a connection of that port, as proc(5) tells: 2 is to ask. */
const timersOf = (port: number): readonly string[] => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(`:${hex}`) && state === '01')
    .map((parts) => parts[5] ?? '');
};

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('over HTTP/1.1 the system asks whether the client is there', async (t) => {
  const fixture = await start(t, { askMs: 5_000 });
  const socket = await rawTls(fixture, ['http/1.1']);
  t.teardown(() => socket.destroy());
  await eventually(
    () => {
      const [timer = ''] = timersOf(fixture.people.port);
      const [kind, when = ''] = timer.split(':');
      return kind === '02' && Number.parseInt(when, 16) <= 500;
    },
    { message: 'the system asks' },
  );
  t.pass();
});
