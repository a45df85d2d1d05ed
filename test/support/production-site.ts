import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { openEtcd } from '../../deploy/production/etcd.ts';
import type { Member } from '../../deploy/production/plan.ts';
import { type Production, startProduction } from '../../deploy/production/start.ts';
import { AgentDirectoryService } from '../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { leaderKey } from '../../services/scheduler/domain/keys.ts';
import { testToolsDir } from '../tools-dir.ts';
import { createRunm, type Runm } from './runm.ts';
import { temporaryDir } from './temporary-dir.ts';

/** The production shape on this machine, in a directory of its own and on free ports. */
export type ProductionSite = AsyncDisposable &
  Runm & {
    readonly production: Production;
    /** `runm` that asks one process directly instead of the proxy. */
    readonly runmAt: (member: Member) => Runm;
    /** The scheduler that leads the partition; throws while nobody does. */
    readonly leader: () => Promise<Member>;
    /** The replica of machine that has the agent's session; throws while none has. */
    readonly agentHolder: () => Promise<Member>;
    /** Uids of the guests that exist on this host. */
    readonly guests: () => readonly string[];
    /** All that the processes logged. */
    readonly logged: () => string;
  };

const START_LIMIT_MS = 300_000;

export const startProductionSite = async (log: (line: string) => void): Promise<ProductionSite> => {
  await using parts = new AsyncDisposableStack();
  const parent = parts.use(temporaryDir({ inMemory: true }));
  // PostgreSQL runs as another user when we are root.
  chmodSync(parent.path, 0o711);
  const dir = join(parent.path, 'site');
  const production = await startProduction({
    dir,
    toolsDir: testToolsDir(),
    usualPorts: false,
    say: log,
    signal: AbortSignal.timeout(START_LIMIT_MS),
  });
  parts.defer(() => rmSync(production.runtimeDir, { recursive: true, force: true }));
  parts.defer(() => production.stop());
  const owned = parts.move();
  const env = { ...process.env, RUNM_CONFIG: production.profileFile };
  return {
    production,
    ...createRunm(env),
    runmAt: ({ peoplePort }) =>
      createRunm({ ...env, RUNM_ENDPOINT: `https://127.0.0.1:${peoplePort}` }),
    leader: () => leaderOf(production),
    agentHolder: () => holderOf(production),
    guests: () => readdirSync(join(dir, 'agent/guests')),
    logged: () =>
      readdirSync(production.logDir)
        .map((name) => readFileSync(join(production.logDir, name), 'utf8'))
        .join(''),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

const leaderOf = async ({ members, etcd }: Production): Promise<Member> => {
  const client = openEtcd(etcd);
  try {
    const found = await client.get(leaderKey('lab'), AbortSignal.timeout(2_000));
    const address = Buffer.from(found?.value ?? []).toString();
    const leader = members.find(({ mtlsPort }) => address.endsWith(`:${mtlsPort}`));
    if (leader === undefined) throw new Error(`nobody leads (${address})`);
    return leader;
  } finally {
    await client.close();
  }
};

/** Only the replica with the session knows when the last heartbeat came. */
const holderOf = async ({ members, token, caPem }: Production): Promise<Member> => {
  for (const member of members.filter(({ service }) => service === 'machine')) {
    const endpoint = `https://127.0.0.1:${member.peoplePort}`;
    const people = createPeopleTransport({ endpoint, caPem, token });
    try {
      const { agents } = await createClient(AgentDirectoryService, people.transport).listAgents(
        { parent: 'partitions/lab' },
        { timeoutMs: 5_000 },
      );
      if (agents.some(({ status }) => status?.lastHeartbeatTime !== undefined)) return member;
    } finally {
      people.close();
    }
  }
  throw new Error('no replica has had a heartbeat');
};
