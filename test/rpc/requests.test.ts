/**
 * What happens to a request before and around its handler: validation, request ids, deadlines,
 * cancel.
 */
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { BadRequestSchema, ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { ConsoleService } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { type Fixture, MACHINE, PROJECT, startFixture } from './fixture.ts';

let fixture: Fixture;
test.before(async () => {
  fixture = await startFixture();
});
test.after.always(() => fixture.stop());

const ways = () => Object.entries(fixture.transports);
const thrown = (t: ExecutionContext, call: Promise<unknown>) =>
  t.throwsAsync(call, { instanceOf: ConnectError });

test('every wrong field is named at once, with what was sent', async (t) => {
  for (const [way, transport] of ways()) {
    const client = createClient(MachineService, transport);
    const call = client.createMachine({
      parent: PROJECT,
      machineId: '-m-',
      requestId: 'not a uuid',
    });
    const error = await thrown(t, call);
    t.is(error.code, Code.InvalidArgument, way);
    t.is(error.findDetails(ErrorInfoSchema)[0]?.reason, 'INVALID_FIELD');
    const [bad] = error.findDetails(BadRequestSchema);
    t.deepEqual(
      bad?.fieldViolations.map(({ field }) => field),
      ['machine_id', 'machine', 'request_id'],
    );
    t.regex(error.message, /machine_id: .*is "-m-"/);
    t.regex(error.message, /machine: value is required/);
  }
});

test('a required request id that is missing is asked for', async (t) => {
  const client = createClient(MachineService, fixture.transports.people);
  const error = await thrown(t, client.startMachine({ name: MACHINE }));
  t.regex(error.message, /request_id/);
});

test('the same arguments have one hash, whatever the request id', async (t) => {
  const client = createClient(MachineService, fixture.transports.grpcJs);
  const hash = async (name: string) => {
    const { machine } = await client.startMachine({ name, requestId: crypto.randomUUID() });
    return machine?.uid;
  };
  t.is((await hash(MACHINE))?.length, 64);
  t.is(await hash(MACHINE), await hash(MACHINE));
  t.not(await hash(MACHINE), await hash(`${MACHINE}x`));
});

test('a deadline of the caller ends the call, and its handler hears of it', async (t) => {
  for (const [way, transport] of ways()) {
    const client = createClient(MachineService, transport);
    const call = client.getMachine({ name: `${PROJECT}/machines/slow` }, { timeoutMs: 100 });
    t.is((await thrown(t, call)).code, Code.DeadlineExceeded, way);
  }
  await eventually(() => fixture.pipeline.activeCount() === 0, { message: 'every call ended' });
});

test('a call without a deadline is capped, and the answer says so', async (t) => {
  // Of its own: on a busy machine the cap would meet other calls, too.
  const capped = await startFixture({ limits: { unaryCapMs: 400 } });
  t.teardown(capped.stop);
  const client = createClient(MachineService, capped.transports.people);
  const call = client.getMachine({ name: `${PROJECT}/machines/slow` }, { timeoutMs: 60_000 });
  const error = await thrown(t, call);
  t.is(error.code, Code.DeadlineExceeded);
  t.deepEqual(error.findDetails(ErrorInfoSchema)[0]?.metadata, { limit_ms: '400' });
});

test('cancelling a stream ends its handler', async (t) => {
  for (const [way, transport] of ways()) {
    const parent = `partitions/${way}/projects/idle`;
    const abort = new AbortController();
    const client = createClient(MachineService, transport);
    const read = async () => {
      for await (const _ of client.watchMachines({ parent }, { signal: abort.signal })) {
        abort.abort();
      }
    };
    t.is((await thrown(t, read())).code, Code.Canceled, way);
    await eventually(() => fixture.pipeline.activeCount() === 0, { message: `${way} ended` });
  }
});

test('a wrong message in the middle of a stream ends it with its field', async (t) => {
  for (const transport of [fixture.transports.grpcJs, fixture.transports.inMemory]) {
    const client = createClient(ConsoleService, transport);
    async function* typed() {
      yield { content: { case: 'open' as const, value: { name: MACHINE } } };
      yield { content: { case: 'data' as const, value: Buffer.alloc(70_000) } };
    }
    const read = async () => {
      for await (const _ of client.attachConsole(typed()));
    };
    const error = await thrown(t, read());
    t.is(error.code, Code.InvalidArgument);
    t.regex(error.message, /data/);
  }
});

test('a consumer that stops writing does not make the other side wait for ever', async (t) => {
  const client = createClient(ConsoleService, fixture.transports.grpcJs);
  async function* typed() {
    yield { content: { case: 'open' as const, value: { name: MACHINE } } };
    throw new Error('the terminal broke');
  }
  const read = async () => {
    for await (const _ of client.attachConsole(typed()));
  };
  t.is((await thrown(t, read())).code, Code.Canceled);
  await eventually(() => fixture.pipeline.activeCount() === 0);
});
