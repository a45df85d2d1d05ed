/** An answer of overload is asked again, with a limit, where that is safe. */
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { patient } from '../../../services/cli/patient-transport.ts';
import {
  type DomainError,
  resourceExhausted,
  unavailable,
} from '../../../services/runtime/errors.ts';
import { toConnectError } from '../../../services/runtime/rpc/error-mapping.ts';

const NAME = 'partitions/lab/projects/red/machines/web-1';
const BUSY = unavailable('STORE_BUSY', 'A transaction took too long', { retryAfterMs: 1_000 });

/** A server that answers so often with the error, and what was slept between. */
const open = (error: DomainError, times: number) => {
  const slept: number[] = [];
  const asked: string[] = [];
  const answer = (id: string) => {
    asked.push(id);
    if (asked.length <= times) throw toConnectError(error);
    return { machine: { name: NAME } };
  };
  const transport = createRouterTransport(({ service }) => {
    service(MachineService, {
      getMachine: () => answer('read'),
      resetMachine: ({ requestId }) => answer(requestId),
    });
  });
  const sleep = async (ms: number) => void slept.push(ms);
  return { client: createClient(MachineService, patient(transport, { sleep })), slept, asked };
};

test('what a server was too busy for is asked again after the time it says', async (t) => {
  const { client, slept, asked } = open(BUSY, 2);
  const { machine } = await client.getMachine({ name: NAME });
  t.is(machine?.name, NAME);
  t.deepEqual(slept, [1_000, 2_000]);
  t.is(asked.length, 3);
});

test('a change is repeated with the same id, and without one it is not', async (t) => {
  const many = resourceExhausted('BUSY', 'Too much is under way', { retryAfterMs: 200 });
  const { client, asked, slept } = open(many, 1);
  const requestId = '0198a000-0000-4000-8000-000000000001';
  await client.resetMachine({ name: NAME, requestId });
  t.deepEqual(asked, [requestId, requestId]);
  t.deepEqual(slept, [200]);
  const bare = open(many, 1);
  await t.throwsAsync(bare.client.resetMachine({ name: NAME }));
  t.is(bare.asked.length, 1);
});

test('a server that stays too busy is given up', async (t) => {
  const { client, asked } = open(BUSY, 100);
  const error = await t.throwsAsync(client.getMachine({ name: NAME }), {
    instanceOf: ConnectError,
  });
  t.is(error.code, Code.Unavailable);
  t.is(asked.length, 4);
});

test('what is no overload is told at once', async (t) => {
  for (const error of [
    resourceExhausted('NO_CAPACITY', 'No server is free', { retryAfterMs: 1_000 }),
    unavailable('NO_AGENT', 'The agent is away', { retryAfterMs: 1_000 }),
    unavailable('STORE_BUSY', 'without a hint'),
  ]) {
    const { client, asked } = open(error, 1);
    await t.throwsAsync(client.getMachine({ name: NAME }));
    t.is(asked.length, 1);
  }
});
