/**
 * Bytes that are no call, on both listeners of a whole control plane: every answer has a known code
 * and tells nothing of the inside, and everybody else is served meanwhile. RUNM_FUZZ_SEED repeats a
 * run. (hostile.test.ts has the cases that were thought of, this one those that were not.)
 */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { createClient } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { IdentityService } from '../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { tlsMaterial } from '../../services/runtime/tls.ts';
import { createAuthority } from '../support/certificates.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { contentType, faultOf, hostileBody, hostileHeaders } from './hostile-requests.ts';
import { type Answer, closed, openWire, rawTlsTo, type Sent, type Target } from './wire.ts';

const SEED = Number(process.env.RUNM_FUZZ_SEED ?? Math.trunc(systemRandom.fraction() * 2 ** 31));
const RUNS = Number(process.env.RUNM_FUZZ_RUNS ?? 1);
const HEAP_MB = 256;
const RESIDENT_BYTES_MAX = 600 * 1024 ** 2;
const ERROR_LEVEL = 50;

const parts = new AsyncDisposableStack();
let plane: ControlPlane;
let people: Target;
let machines: Target;
let serves: () => Promise<void>;

test.before(async (t) => {
  t.log(`RUNM_FUZZ_SEED=${SEED}`);
  plane = parts.use(await startControlPlane({ heapMb: HEAP_MB }));
  const own = await plane.certificate('wire');
  people = { port: plane.peoplePort, ca: plane.caPem };
  machines = { port: plane.mtlsPort, ca: plane.caPem, own };
  const inner = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${plane.mtlsPort}`],
    tls: tlsMaterial(own),
  });
  parts.defer(inner.close);
  const clients = [plane.transport(plane.token), inner].map((transport) =>
    createClient(IdentityService, transport),
  );
  serves = async () => {
    await Promise.all(clients.map((client) => client.whoAmI({}, { timeoutMs: 30_000 })));
  };
});
test.afterEach.always('everybody else is served', async (t) => {
  await t.notThrowsAsync(serves());
});
test.after.always('the process is whole, in bounds, and found no mistake of its own', async (t) => {
  await using _parts = parts;
  t.is(plane.end(), undefined);
  t.deepEqual(plane.logged(ERROR_LEVEL), []);
  t.true((await plane.residentBytes()) < RESIDENT_BYTES_MAX);
});

const PATHS = PUBLIC_SERVICES.flatMap(({ typeName, methods }) =>
  methods.map(({ name }) => `/${typeName}/${name}`),
);
const path = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 1, arbitrary: fc.webPath().map((text) => `/${text}`.slice(0, 200)) },
);

/** A request of which each part may be wrong. */
const requests = (seed: number, numRuns: number, authorization: string): readonly Sent[] => {
  const one = fc.record({
    path,
    method: fc.constantFrom('POST', 'POST', 'POST', 'POST', 'GET', 'PUT', 'OPTIONS', 'DELETE'),
    type: contentType,
    headers: hostileHeaders,
    authorized: fc.nat({ max: 9 }),
    body: hostileBody,
  });
  return fc.sample(one, { seed, numRuns }).map(({ type, authorized, headers, ...sent }) => ({
    ...sent,
    headers: {
      'content-type': type,
      te: 'trailers',
      ...(authorized > 0 && authorization !== '' && { authorization }),
      ...headers,
    },
  }));
};

const sendAll = async (
  t: ExecutionContext,
  target: Target,
  all: readonly Sent[],
): Promise<readonly Answer[]> => {
  using wire = openWire(target);
  const answers: Answer[] = [];
  for (const sent of all) {
    const answer = await wire.send(sent);
    answers.push(answer);
    const fault = faultOf(answer);
    if (fault === undefined) continue;
    const body = Buffer.from(sent.body).toString('base64').slice(0, 400);
    const headers = { ...sent.headers, authorization: 'Bearer …' };
    t.fail(`${fault}\n  to ${JSON.stringify({ ...sent, headers, body })}`);
  }
  return answers;
};

const isAnswered = ({ kind }: Answer): boolean => kind === 'answered';

test('whatever people’s clients send is answered or hung up on', async (t) => {
  const sent = requests(SEED, RUNS * 1_000, `Bearer ${plane.token}`);
  const answers = await sendAll(t, people, sent);
  t.true(answers.filter(isAnswered).length > sent.length / 2);
});

test('whatever services’ and agents’ clients send is answered or hung up on', async (t) => {
  const sent = requests(SEED + 1, RUNS * 1_000, '');
  const answers = await sendAll(t, machines, sent);
  t.true(answers.filter(isAnswered).length > sent.length / 2);
});

/** Both listeners, each with what happens on it. */
const onBoth = (title: string, run: (t: ExecutionContext, target: Target) => Promise<void>) => {
  test(`people’s listener: ${title}`, (t) => run(t, people));
  test(`services’ and agents’ listener: ${title}`, (t) => run(t, machines));
};

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = 4;
const PING = 6;
const HEADERS = 1;
const CONTINUATION = 9;

const http2Frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

const randomFrames = fc
  .array(
    fc.record({
      type: fc.nat({ max: 15 }),
      flags: fc.nat({ max: 255 }),
      stream: fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 2 ** 31 - 1 })),
      payload: fc.uint8Array({ maxLength: 100 }),
    }),
    { maxLength: 20 },
  )
  .map((frames) =>
    Buffer.concat(frames.map((one) => http2Frame(one.type, one.flags, one.stream, one.payload))),
  );

onBoth('frames at random do no harm', async (t, target) => {
  for (const frames of fc.sample(randomFrames, { seed: SEED, numRuns: RUNS * 40 })) {
    const socket = await rawTlsTo(target, 'h2');
    socket.write(Buffer.concat([PREFACE, http2Frame(SETTINGS, 0, 0, Buffer.alloc(0)), frames]));
    socket.end();
    await closed(socket);
  }
  t.pass();
});

/** Each asks the other side for an answer or for memory, and never stops. */
const FLOODS: Readonly<Record<string, Buffer>> = {
  settings: http2Frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1])),
  pings: http2Frame(PING, 0, 0, Buffer.alloc(8)),
  'headers without end': http2Frame(CONTINUATION, 0, 1, Buffer.alloc(1_000, 0x40)),
};
const FLOOD_BYTES = 8 * 1024 ** 2;

for (const [what, frame] of Object.entries(FLOODS)) {
  onBoth(`a flood of ${what} is cut off or borne`, async (t, target) => {
    const socket = await rawTlsTo(target, 'h2');
    socket.write(Buffer.concat([PREFACE, http2Frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
    if (what.startsWith('headers')) socket.write(http2Frame(HEADERS, 0, 1, Buffer.alloc(0)));
    const over = once(socket, 'close').catch(() => undefined);
    const burst = Buffer.concat(Array.from({ length: 1_000 }, () => frame));
    for (let sent = 0; sent < FLOOD_BYTES && socket.writable; sent += burst.length) {
      if (socket.write(burst)) continue;
      await Promise.race([once(socket, 'drain').catch(() => undefined), over]);
    }
    socket.destroy();
    t.pass();
  });
}

const IDLE = 100;

onBoth(
  'connections that say nothing, or begin and do not go on, keep nobody out',
  async (t, target) => {
    const silent = Array.from({ length: IDLE }, () => connectTcp(target.port, '127.0.0.1'));
    const halves = [
      PREFACE,
      PREFACE.subarray(0, 10),
      Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nX-A: '),
    ];
    const begun = await Promise.all(
      Array.from({ length: IDLE }, async (_, at) => {
        const isOld = at % 3 === 2 && target.own === undefined;
        const socket = await rawTlsTo(target, isOld ? 'http/1.1' : 'h2');
        socket.write(halves[at % 3] ?? PREFACE);
        return socket;
      }),
    );
    for (const socket of silent) socket.on('error', () => undefined).write(Buffer.from([22, 3, 1]));
    await t.notThrowsAsync(serves());
    for (const socket of [...silent, ...begun]) socket.destroy();
  },
);

test('without a certificate of this installation nobody gets through the handshake', async (t) => {
  const other = await createAuthority();
  const foreign = await other.issue(['spiffe://lab/service/machine']);
  for (const own of [undefined, foreign]) {
    const target = { port: plane.mtlsPort, ca: plane.caPem, ...(own && { own }) };
    using wire = openWire(target);
    const path = '/grpc.health.v1.Health/Check';
    const headers = { 'content-type': 'application/grpc', te: 'trailers' };
    const answer = await wire.send({ path, headers, body: Buffer.alloc(5) });
    t.is(answer.kind, 'hung up');
  }
});
