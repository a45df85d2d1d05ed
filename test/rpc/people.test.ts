/** The listener for people beside its RPCs: plain HTTP, browsers, certificates. */
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { type Fixture, MACHINE, ORIGIN, PROJECT, startFixture } from './fixture.ts';
import { http1, rawTls } from './raw-http.ts';

let fixture: Fixture;
test.before(async () => {
  fixture = await startFixture();
});
test.after.always(() => fixture.stop());

const GET_MACHINE = '/runmachine.machine.v1.MachineService/GetMachine';
const AUTHORIZATION = { authorization: 'Bearer admin-token' };
const JSON_TYPE = { 'content-type': 'application/json' };

test('curl with JSON reads a machine', async (t) => {
  const answer = await http1(fixture, {
    path: GET_MACHINE,
    headers: { ...AUTHORIZATION, ...JSON_TYPE },
    body: JSON.stringify({ name: MACHINE }),
  });
  t.is(answer.status, 200);
  t.like(JSON.parse(answer.body), { machine: { name: MACHINE } });
  t.truthy(answer.headers['x-request-id']);
});

test('a read may be a GET', async (t) => {
  const message = encodeURIComponent(JSON.stringify({ name: MACHINE }));
  const answer = await http1(fixture, {
    method: 'GET',
    path: `${GET_MACHINE}?connect=v1&encoding=json&message=${message}`,
    headers: AUTHORIZATION,
  });
  t.is(answer.status, 200, answer.body);
});

test('an error in JSON shows its details in words', async (t) => {
  const answer = await http1(fixture, {
    path: GET_MACHINE,
    headers: { ...AUTHORIZATION, ...JSON_TYPE },
    body: JSON.stringify({ name: `${PROJECT}/machines/stopped` }),
  });
  t.is(answer.status, 400);
  t.like(JSON.parse(answer.body), { code: 'failed_precondition' });
  t.regex(answer.body, /INVALID_STATE/);
});

test('an unknown JSON field is named', async (t) => {
  const answer = await http1(fixture, {
    path: GET_MACHINE,
    headers: { ...AUTHORIZATION, ...JSON_TYPE },
    body: JSON.stringify({ nmae: MACHINE }),
  });
  t.is(answer.status, 400);
  t.regex(answer.body, /nmae/);
});

test('liveness, readiness, metrics and the front page are plain text', async (t) => {
  const read = (path: string) => http1(fixture, { method: 'GET', path });
  t.like(await read('/live'), { status: 200, body: 'live\n' });
  t.like(await read('/ready'), { status: 200, body: 'ready\n' });
  t.like(await read('/'), { status: 200, body: 'runmachine\n' });
  await createClient(MachineService, fixture.transports.people).getMachine({ name: MACHINE });
  const { body } = await read('/metrics');
  t.regex(body, /runm_rpc_calls_total\{method="[^"]*GetMachine",code="OK"\} \d/);
  t.is((await read('/etc/passwd')).status, 404);
});

test('a page of a listed origin may send tokens and read details', async (t) => {
  const answer = await http1(fixture, {
    method: 'OPTIONS',
    path: GET_MACHINE,
    headers: {
      origin: ORIGIN,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,connect-protocol-version,content-type',
    },
  });
  t.is(answer.status, 204);
  t.is(answer.headers['access-control-allow-origin'], ORIGIN);
  for (const header of ['Authorization', 'Connect-Protocol-Version', 'Content-Type']) {
    t.true(String(answer.headers['access-control-allow-headers']).includes(header), header);
  }
  const call = await http1(fixture, {
    path: GET_MACHINE,
    headers: { origin: ORIGIN, ...AUTHORIZATION, ...JSON_TYPE },
    body: JSON.stringify({ name: MACHINE }),
  });
  t.is(call.headers['access-control-allow-origin'], ORIGIN);
  t.regex(String(call.headers['access-control-expose-headers']), /Grpc-Status-Details-Bin/i);
});

test('a page of another origin is not let in', async (t) => {
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
  const answer = await http1(fixture, { method: 'OPTIONS', path: GET_MACHINE, headers });
  t.is(answer.status, 403);
  t.is(answer.headers['access-control-allow-origin'], undefined);
});

test('a client that does not finish its headers is disconnected', async (t) => {
  // Of its own: on a busy machine these limits would meet others, too.
  const strict = await startFixture({ connections: { headersMs: 2_000, idleMs: 2_000 } });
  t.teardown(strict.stop);
  const socket = await rawTls(strict, ['http/1.1']);
  socket.write(`POST ${GET_MACHINE} HTTP/1.1\r\nHost: localhost\r\nX-Slow: `);
  socket.resume();
  await eventually(() => socket.closed, { message: 'the slow client is cut' });
  t.pass();
});

test.serial('a renewed certificate is shown to new connections, on both listeners', async (t) => {
  const before = await rawTls(fixture);
  const old = before.getPeerCertificate().fingerprint256;
  fixture.tls.replace(await fixture.authority.issue(['spiffe://test/service/machine']));
  const after = await rawTls(fixture);
  t.not(after.getPeerCertificate().fingerprint256, old);
  before.destroy();
  after.destroy();
  const transport = fixture.overGrpc(await fixture.authority.service('scheduler'));
  const { machine } = await createClient(MachineService, transport).getMachine({ name: MACHINE });
  t.is(machine?.name, MACHINE);
});
