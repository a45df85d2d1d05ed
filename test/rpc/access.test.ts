/** Who is let in, and what somebody without access can learn. */
import {
  create,
  createFileRegistry,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import {
  Code,
  ConnectError,
  createClient,
  createServiceImplSpec,
  type Transport,
} from '@connectrpc/connect';
import ava, { type ExecutionContext } from 'ava';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { TokenService } from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { Identity } from '../../services/runtime/identity.ts';
import { encodeOnBehalfOf } from '../../services/runtime/rpc/on-behalf-of.ts';
import { tlsMaterial } from '../../services/runtime/tls.ts';
import { createAuthority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { inTurns } from '../support/few-at-once.ts';
import { type Fixture, FOREIGN, MACHINE, PROJECT, startFixture, USERS } from './fixture.ts';

/** A service whose one method has no policy option. */
const withoutPolicy = (): DescService => {
  const text = { number: 1, name: 'name', type: 9, label: 1 } as const;
  const set = create(FileDescriptorSetSchema, {
    file: [
      {
        name: 'test/naked.proto',
        package: 'test',
        syntax: 'proto3',
        messageType: [{ name: 'Ask', field: [text] }],
        service: [
          {
            name: 'Naked',
            method: [{ name: 'Do', inputType: '.test.Ask', outputType: '.test.Ask' }],
          },
        ],
      },
    ],
  });
  const service = createFileRegistry(set).getService('test.Naked');
  if (service === undefined) throw new Error('The descriptor is broken');
  return service;
};

const NAKED = withoutPolicy();
const ALL: Identity['grants'] = [{ role: 'admin', permissions: new Set(['*']) }];
const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary';

// Each connects anew, and the servers are in the same process.
const test = inTurns(ava, 4);

let fixture: Fixture;
ava.before(async () => {
  fixture = await startFixture({
    limits: { recheckMs: 50 },
    more: [{ service: NAKED, spec: createServiceImplSpec(NAKED, {}) }],
  });
});
ava.after.always(() => fixture.stop());

const refusal = async (t: ExecutionContext, call: Promise<unknown>) => {
  const error = await t.throwsAsync(call, { instanceOf: ConnectError });
  const [info] = error.findDetails(ErrorInfoSchema);
  return { code: Code[error.code], reason: info?.reason, message: error.rawMessage };
};

const machines = (transport: Transport) => createClient(MachineService, transport);

test('without a token a person is told to bring one', async (t) => {
  const refused = await refusal(t, machines(fixture.overPeople()).getMachine({ name: MACHINE }));
  t.like(refused, { code: 'Unauthenticated', reason: 'NO_CREDENTIALS' });
  t.regex(refused.message, /Bearer/);
});

test('a wrong token is refused, also for something that does not exist', async (t) => {
  const client = machines(fixture.overPeople('wrong'));
  const refused = await refusal(t, client.getMachine({ name: FOREIGN }));
  t.like(refused, { code: 'Unauthenticated', reason: 'BAD_CREDENTIALS' });
});

test('without a certificate of ours no connection to the services listener is made', async (t) => {
  const other = await createAuthority();
  const stranger = tlsMaterial({
    ...(await other.issue(['spiffe://test/service/machine'])),
    ca: fixture.authority.ca,
  });
  const client = machines(fixture.overGrpc(stranger));
  await t.throwsAsync(client.getMachine({ name: MACHINE }), { instanceOf: ConnectError });
});

test('a certificate without a name of ours is refused', async (t) => {
  const nameless = tlsMaterial(await fixture.authority.issue(['spiffe://other/service/machine']));
  const refused = await refusal(
    t,
    machines(fixture.overGrpc(nameless)).getMachine({ name: MACHINE }),
  );
  t.like(refused, { code: 'Unauthenticated', reason: 'BAD_CREDENTIALS' });
  t.regex(refused.message, /spiffe:\/\/test/);
});

test('a server that is not the expected service is not talked to', async (t) => {
  const { createGrpcJsTransport } = await import('../../services/runtime/rpc/grpc-js-transport.ts');
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${fixture.machines.port}`],
    tls: await fixture.authority.service('scheduler'),
    serverId: 'spiffe://test/service/metadata',
  });
  t.teardown(transport.close);
  const refused = await refusal(t, machines(transport).getMachine({ name: MACHINE }));
  t.is(refused.code, 'Unavailable');
});

test('an agent without grants reaches no tenant object', async (t) => {
  const client = machines(fixture.overGrpc(await fixture.authority.agent('a1')));
  t.like(await refusal(t, client.getMachine({ name: MACHINE })), {
    code: 'NotFound',
    reason: 'NOT_FOUND',
  });
});

const judged = (token: string, name: string, expected: string): void =>
  test(`${token} starting ${name} gets ${expected}`, async (t) => {
    const call = machines(fixture.overPeople(token)).startMachine({
      name,
      requestId: crypto.randomUUID(),
    });
    const outcome = await call.then(
      () => 'OK',
      (error) => Code[ConnectError.from(error).code],
    );
    t.is(outcome, expected);
  });
judged('red-token', MACHINE, 'OK');
judged('admin-token', FOREIGN, 'OK');
judged('red-token', FOREIGN, 'NotFound');
judged('reader-token', MACHINE, 'PermissionDenied');
judged('reader-token', FOREIGN, 'NotFound');
judged('red-token', MACHINE.replace('red', 'RED'), 'OK');

test('a wildcard reads what the caller may see and no more', async (t) => {
  const client = machines(fixture.overPeople('red-token'));
  const { machines: found } = await client.listMachines({ parent: 'partitions/-/projects/-' });
  t.deepEqual(
    found.map(({ name }) => name),
    ['red'],
  );
});

test('a handler that ignores the access of an open request answers nothing', async (t) => {
  const client = machines(fixture.overPeople('red-token'));
  const call = client.createMachine({
    parent: 'partitions/-/projects/-',
    machineId: 'm',
    machine: {},
    requestId: crypto.randomUUID(),
  });
  t.like(await refusal(t, call), { code: 'Internal', reason: 'INTERNAL' });
});

test('a method without a policy is refused to everybody', async (t) => {
  for (const transport of Object.values(fixture.transports)) {
    const method = NAKED.methods.find(isUnary);
    t.truthy(method);
    if (method === undefined) return;
    const refused = await refusal(t, transport.unary(method, undefined, 60_000, undefined, {}));
    t.like(refused, { code: 'PermissionDenied', reason: 'NO_POLICY' });
  }
});

test('health is told to anybody, an absent service only to somebody', async (t) => {
  const anybody = fixture.overPeople();
  t.is((await createClient(Health, anybody).check({})).status, 1);
  const refused = await refusal(t, createClient(TokenService, anybody).listTokens({}));
  t.is(refused.code, 'Unimplemented');
});

test('a service acts for a caller, and both are known', async (t) => {
  const red = USERS.get('red-token');
  t.truthy(red);
  if (red === undefined) return;
  const client = machines(fixture.transports.grpcJs);
  const headers = { 'runm-on-behalf-of': encodeOnBehalfOf(red), 'runm-hops': '2' };
  const { machine } = await client.getMachine({ name: MACHINE }, { headers });
  t.deepEqual(machine?.tags, ['users/red', 'services/scheduler', '2']);
  const refused = await refusal(t, client.getMachine({ name: FOREIGN }, { headers }));
  t.is(refused.code, 'NotFound', 'policy judges the caller');
});

test('nobody but a listed service may act for others', async (t) => {
  const admin = USERS.get('admin-token');
  t.truthy(admin);
  if (admin === undefined) return;
  const headers = { 'runm-on-behalf-of': encodeOnBehalfOf(admin) };
  const ways = [
    fixture.overPeople('red-token'),
    fixture.overGrpc(await fixture.authority.agent('a1')),
    fixture.overGrpc(await fixture.authority.service('stranger')),
  ];
  for (const way of ways) {
    const refused = await refusal(t, machines(way).getMachine({ name: MACHINE }, { headers }));
    t.like(refused, { code: 'PermissionDenied', reason: 'NOT_ALLOWED' });
  }
});

test('a call that went round in circles ends', async (t) => {
  const client = machines(fixture.transports.grpcJs);
  const call = client.getMachine({ name: MACHINE }, { headers: { 'runm-hops': '5' } });
  t.like(await refusal(t, call), { code: 'FailedPrecondition', reason: 'HOP_LIMIT' });
});

test('a stream ends when its token is taken away', async (t) => {
  const admin = USERS.get('admin-token');
  if (admin !== undefined) fixture.users.set('short-token', admin);
  const client = machines(fixture.overPeople('short-token'));
  const read = async () => {
    for await (const _ of client.watchMachines({ parent: 'partitions/lab/projects/idle' })) {
      fixture.users.delete('short-token');
    }
  };
  t.like(await refusal(t, read()), { code: 'Unauthenticated', reason: 'BAD_CREDENTIALS' });
});

test('a revoked agent is cut off at once, and cannot come back', async (t) => {
  const slow = await startFixture({ limits: { recheckMs: 60_000 } });
  t.teardown(slow.stop);
  const tls = await slow.authority.app('a1');
  slow.users.set('a1', { kind: 'app', principal: 'apps/a1', uid: 'a1', grants: ALL });
  const client = machines(slow.overGrpc(tls));
  let read = 0;
  const reading = async () => {
    for await (const _ of client.watchMachines({ parent: 'partitions/lab/projects/idle' })) {
      read += 1;
    }
  };
  const ended = refusal(t, reading());
  await eventually(() => read === 1);
  const { X509Certificate } = await import('node:crypto');
  slow.revoked.add(new X509Certificate(tls.current().certificate).serialNumber);
  slow.pipeline.recheckStreams();
  t.like(await ended, { code: 'Unauthenticated', reason: 'CERTIFICATE_REVOKED' });
  const again = await refusal(t, client.getMachine({ name: MACHINE }));
  t.is(again.reason, 'CERTIFICATE_REVOKED');
});

test('a stream ends when its caller loses the permission', async (t) => {
  const red = USERS.get('red-token');
  t.truthy(red);
  if (red === undefined) return;
  fixture.users.set('fading-token', red);
  const client = machines(fixture.overPeople('fading-token'));
  let read = 0;
  const reading = async () => {
    for await (const _ of client.watchMachines({ parent: PROJECT })) {
      read += 1;
      fixture.users.set('fading-token', { ...red, grants: [] });
    }
  };
  t.is((await refusal(t, reading())).code, 'PermissionDenied');
  t.true(read > 0);
  await eventually(() => fixture.seen.has(`${PROJECT} ended`));
});
