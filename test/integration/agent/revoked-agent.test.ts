/** A revoked agent against a real control plane: it stays out until somebody starts it again. */
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState } from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { type Agent, createAgent } from '../../../services/agent/main.ts';
import type { GuestDriver } from '../../../services/agent/ports.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { silentLog } from '../../../services/runtime/log.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { type ControlPlane, startControlPlane } from '../../support/control-plane.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const NAME = 'partitions/lab/agents/host-1';

const unasked = (): never => {
  throw new Error('this host has no guests');
};

/** A host on which nothing runs. */
const noGuests: GuestDriver = {
  start: unasked,
  askPowerOff: unasked,
  kill: unasked,
  pause: unasked,
  resume: unasked,
  status: unasked,
  list: async () => [],
  remove: unasked,
  onEvent: () => undefined,
  openConsole: unasked,
  readLog: unasked,
  stopAll: async () => undefined,
  close: async () => undefined,
};

const clientsOf = (plane: ControlPlane) => {
  const transport = plane.transport(plane.token);
  return {
    trust: createClient(TrustService, transport),
    agents: createClient(AgentDirectoryService, transport),
    partitions: createClient(PartitionService, transport),
  };
};

type Start = { readonly stateDir: string; readonly joinToken: () => Promise<string> };

type Running = AsyncDisposable & Pick<Agent, 'isConnected'>;

const startAgent = async (
  plane: ControlPlane,
  { stateDir, joinToken }: Start,
): Promise<Running> => {
  const agent = createAgent(
    {
      stateDir,
      addresses: () => [`127.0.0.1:${plane.mtlsPort}`],
      enrolment: {
        endpoint: plane.endpoint,
        ca: { pem: plane.caPem },
        joinToken,
        agentId: 'host-1',
      },
      phoneHome: { address: '127.0.0.1', port: 0 },
      guestGateway: '10.0.2.2',
      accelerator: { name: 'tcg', reason: '' },
      version: '0.1.0',
    },
    { driver: noGuests, clock: systemClock, random: systemRandom, log: silentLog() },
  );
  await agent.start();
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= agent.stop({});
    return stopped;
  };
  return { isConnected: agent.isConnected, [Symbol.asyncDispose]: stop };
};

test('a revoked agent stays out, and joins again when it is started with a new token', async (t) => {
  await using plane = await startControlPlane();
  using dir = temporaryDir();
  const { trust, agents, partitions } = clientsOf(plane);
  const requestId = systemRandom.requestId;
  await partitions.createPartition({ partitionId: 'lab', partition: {}, requestId: requestId() });
  const asked: string[] = [];
  const newToken = async (): Promise<string> => {
    const request = { parent: 'partitions/lab', agentId: 'host-1', roles: ['vm'] };
    const made = await trust.createJoinToken({ ...request, requestId: requestId() });
    asked.push(made.secret);
    return made.secret;
  };
  const stateOf = async () => (await agents.getAgent({ name: NAME })).agent;
  const stateDir = join(dir.path, 'agent');

  await using first = await startAgent(plane, { stateDir, joinToken: newToken });
  await eventually(() => first.isConnected());
  const before = await stateOf();
  t.is(before?.status?.state, AgentState.UP);
  await trust.revokeAgent({ name: NAME, requestId: requestId() });
  await eventually(async () => (await stateOf())?.status?.state === AgentState.REVOKED);
  await eventually(() => !first.isConnected());
  t.is(asked.length, 1, 'a running agent asks for no further token');
  await first[Symbol.asyncDispose]();

  // The old token is burned, so this one stays out too, but goes on asking.
  let token = async () => asked[0] ?? '';
  await using second = await startAgent(plane, { stateDir, joinToken: () => token() });
  t.false(second.isConnected());
  token = newToken;
  await eventually(() => second.isConnected());
  const after = await stateOf();
  t.is(after?.status?.state, AgentState.UP);
  t.not(after?.uid, before?.uid);
  await second[Symbol.asyncDispose]();

  // What it joined with is kept: the next start needs no token.
  await using third = await startAgent(plane, { stateDir, joinToken: unasked });
  await eventually(() => third.isConnected());
  t.is((await stateOf())?.uid, after?.uid);
});
