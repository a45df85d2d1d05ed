/** How a process leaves, and how its clients find another. */
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import test from 'ava';
import { ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { MACHINE, PROJECT, startFixture } from './fixture.ts';

const reasonOf = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0]?.reason;

test('a draining process ends its streams with a reason and lets calls finish', async (t) => {
  const fixture = await startFixture();
  t.teardown(fixture.stop);
  for (const transport of [fixture.transports.grpcJs, fixture.transports.people]) {
    const { machine } = await createClient(MachineService, transport).getMachine({ name: MACHINE });
    t.truthy(machine);
  }
  const watch = async (way: 'grpcJs' | 'people') => {
    const client = createClient(MachineService, fixture.transports[way]);
    for await (const _ of client.watchMachines({ parent: `partitions/${way}/projects/idle` }));
  };
  const streams = [watch('grpcJs'), watch('people')];
  for (const stream of streams) stream.catch(() => undefined);
  const caller = new AbortController();
  const slow = createClient(MachineService, fixture.transports.grpcJs).getMachine(
    { name: `${PROJECT}/machines/slow` },
    { signal: caller.signal },
  );
  slow.catch(() => undefined);
  await eventually(() => fixture.pipeline.activeCount() === 3);
  const drained = fixture.pipeline.drain(AbortSignal.timeout(60_000));
  for (const stream of streams) {
    const error = await t.throwsAsync(stream, { instanceOf: ConnectError });
    t.is(error.code, Code.Unavailable);
    t.is(reasonOf(error), 'DRAINING');
    t.is(error.findDetails(RetryInfoSchema).length, 1);
  }
  t.is(fixture.pipeline.activeCount(), 1, 'the unary call still runs');
  const late = createClient(MachineService, fixture.transports.people).getMachine({
    name: MACHINE,
  });
  t.is(reasonOf(await t.throwsAsync(late, { instanceOf: ConnectError })), 'DRAINING');
  caller.abort();
  const error = await t.throwsAsync(slow, { instanceOf: ConnectError });
  t.is(error.code, Code.Canceled, 'its caller ended it, not the drain');
  await drained;
  t.is(fixture.pipeline.activeCount(), 0);
});

test('who watches health hears that the process leaves and comes back', async (t) => {
  const fixture = await startFixture();
  t.teardown(fixture.stop);
  const abort = new AbortController();
  const told: number[] = [];
  const watch = async () => {
    const client = createClient(Health, fixture.overPeople());
    for await (const { status } of client.watch({}, { signal: abort.signal })) told.push(status);
  };
  const watching = watch();
  watching.catch(() => undefined);
  await eventually(() => told.length === 1);
  fixture.board.setAll(false);
  await eventually(() => told.length === 2);
  fixture.board.setAll(true);
  await eventually(() => told.length === 3);
  t.deepEqual(told, [1, 2, 1]);
  const { statuses } = await createClient(Health, fixture.overPeople()).list({});
  t.is(statuses['']?.status, 1);
  abort.abort();
  await t.throwsAsync(watching);
});

test('listeners close although a client holds an idle connection', async (t) => {
  const fixture = await startFixture();
  for (const transport of [fixture.transports.grpcJs, fixture.transports.people]) {
    await createClient(MachineService, transport).getMachine({ name: MACHINE });
  }
  await fixture.pipeline.drain(AbortSignal.timeout(60_000));
  const limit = AbortSignal.timeout(60_000);
  await Promise.all([fixture.people.stop(limit), fixture.machines.stop(limit)]);
  t.false(limit.aborted, 'nothing had to be closed by force');
  await fixture.stop();
});

test('a client goes to the next address when one is dead, and back-off does not hold it up', async (t) => {
  const second = await startFixture();
  t.teardown(second.stop);
  let addresses = ['127.0.0.1:1', `127.0.0.1:${second.machines.port}`];
  const transport = createGrpcJsTransport({
    addresses: () => addresses,
    tls: await second.authority.service('scheduler'),
    serverId: 'spiffe://test/service/machine',
  });
  t.teardown(transport.close);
  const client = createClient(MachineService, transport);
  t.is((await client.getMachine({ name: MACHINE })).machine?.name, MACHINE);
  addresses = ['127.0.0.1:1'];
  const error = await t.throwsAsync(client.getMachine({ name: MACHINE }), {
    instanceOf: ConnectError,
  });
  t.is(error.code, Code.Unavailable);
  t.regex(error.message, /127\.0\.0\.1:1/);
  addresses = [`127.0.0.1:${second.machines.port}`];
  t.is((await client.getMachine({ name: MACHINE })).machine?.name, MACHINE);
});

test('a process that dies and comes back at its address is found again', async (t) => {
  const { createAuthority } = await import('../support/certificates.ts');
  const { Server, ServerCredentials } = await import('@grpc/grpc-js');
  const authority = await createAuthority();
  const { ca, certificate, key } = (await authority.service('machine')).current();
  const credentials = ServerCredentials.createSsl(
    Buffer.from(ca),
    [{ cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) }],
    true,
  );
  const listen = (port: number) => {
    const server = new Server();
    return new Promise<{ port: number; stop: () => void }>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => {
        if (error === null) resolve({ port: bound, stop: () => server.forceShutdown() });
        else reject(error);
      });
    });
  };
  const server = await listen(await freePort());
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${server.port}`],
    tls: await authority.service('scheduler'),
  });
  t.teardown(transport.close);
  const client = createClient(MachineService, transport);
  const codeOf = async () => {
    const error = await t.throwsAsync(client.getMachine({ name: MACHINE }, { timeoutMs: 60_000 }), {
      instanceOf: ConnectError,
    });
    return error.code;
  };
  t.is(await codeOf(), Code.Unimplemented, 'it answers');
  server.stop();
  await eventually(async () => (await codeOf()) === Code.Unavailable);
  const again = await listen(server.port);
  t.teardown(again.stop);
  await eventually(async () => (await codeOf()) === Code.Unimplemented);
});
