/** Replicas on one PostgreSQL: the day, the relayed console, stale sessions, a dying replica. */

import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { ProviderLifeState } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import type { FollowedClaim } from '../../services/machine/domain/claim-news.ts';
import { machineMigrations } from '../../services/machine/store/migrations.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { announceClaim } from '../../services/machine/work/claim-announcer.ts';
import { accessFor } from '../../services/runtime/access.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { silentLog } from '../support/silent-log.ts';
import { createFakeAgent } from './machine-agent.ts';
import { machineConsoleSuite } from './machine-console.suite.ts';
import { machineConsoleTokenSuite } from './machine-console-token.suite.ts';
import { machineDaySuite } from './machine-day.suite.ts';
import {
  AGENT,
  type Clients,
  clientsOf,
  connectAgent,
  createMachine,
  PROJECT,
  type Site,
  startSite,
  uuid,
} from './machine-fixture.ts';
import { machineMetalSuite } from './machine-metal.suite.ts';
import { begun, QUICK, secretFile, startReceiver, tellOfClaim } from './machine-sink-fixture.ts';

const need = needs('postgres');
const { test } = need;
let server: TestPostgres;
let turn: Awaited<ReturnType<typeof slot>>;

test.before(async () => {
  turn = await slot('database');
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
  turn?.release();
});

const createUrl = () => server.createDatabase();
const NAME = `${PROJECT}/machines/web-1`;

// One after the other: each has connections of its own, and the server's are limited.
const { serial } = test;

machineDaySuite({ test: serial, createUrl });
machineMetalSuite({ test: serial, createUrl });
machineConsoleSuite({
  test: serial,
  what: 'the replica that holds the agent',
  index: 0,
  replicas: 2,
  createUrl,
});
machineConsoleSuite({ test: serial, what: 'another replica', index: 1, replicas: 2, createUrl });
machineConsoleTokenSuite({
  test: serial,
  what: 'another replica',
  index: 1,
  replicas: 2,
  createUrl,
});

const twoReplicas = async (): Promise<Site> => startSite({ replicas: 2, url: await createUrl() });

const replicaOf = (site: Site, index: number) => {
  const replica = site.replicas[index];
  if (replica === undefined) throw new Error('no such replica');
  return replica;
};

const agentState = async (clients: Clients) =>
  (await clients.agents.getAgent({ name: AGENT })).agent?.status;

serial('a stale session writes nothing and is ended', async (t) => {
  await using site = await twoReplicas();
  const [first, second] = [replicaOf(site, 0), replicaOf(site, 1)];
  const red = clientsOf(first.asPerson('red'));
  const old = await connectAgent(site, first);
  const { machine } = await createMachine(red, 'web-1');
  const fresh = createFakeAgent();
  const welcome = await fresh.dial(second.asAgent(site.agentUid));
  t.true(welcome.epoch > (old.welcome()?.epoch ?? 0n));
  old.send({
    case: 'event',
    value: { type: 'machine.stale', targetUid: machine.uid, message: 'old' },
  });
  await old.ended();
  t.is(old.goodbye(), 'SUPERSEDED');
  const { events } = await red.events.listEvents({ parent: PROJECT, targetUid: machine.uid });
  t.false(events.some((event) => event.type === 'machine.stale'));
  const admin = clientsOf(first.asPerson('admin'));
  t.is((await agentState(admin))?.state, AgentState.UP);
});

serial(
  'when the replica that holds the agent dies, another notices, and the day goes on there',
  async (t) => {
    await using site = await twoReplicas();
    const agent = await connectAgent(site);
    const red = clientsOf(replicaOf(site, 1).asPerson('red'));
    await createMachine(red, 'web-1');
    await site.replicas[0]?.stop();
    await agent.ended();
    const survivor = replicaOf(site, 1);
    await agent.dial(survivor.asAgent(site.agentUid));
    await createMachine(red, 'web-2');
    const log = await red.consoles.getConsoleLog({ name: NAME });
    t.true(log.data.length > 0);
  },
);

/** Asked again where the turns before it last longer than the server lets anybody wait. */
const inTurn = async (ask: () => Promise<unknown>): Promise<unknown> => {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isDomainError(domainErrorOf(error), 'aborted', 'BUSY')) throw error;
    }
  }
};

serial(
  'operators at two replicas are obeyed in turn, and the leader hears the last word',
  async (t) => {
    await using site = await twoReplicas();
    const { provider, offers } = site.neighbours;
    await connectAgent(site);
    await eventually(() => offers.at(-1)?.closed === false, { message: 'the host is open' });
    const name = `${provider.name}/state`;
    const statesAt = (index: number) =>
      clientsOf(replicaOf(site, index).asPerson('operator')).providerStates;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, at) => {
        const asked = { name, reason: `turn ${at}`, requestId: uuid() };
        const states = statesAt(at % 2);
        return inTurn(() =>
          at % 3 === 0 ? states.returnProvider(asked) : states.quarantineProvider(asked),
        );
      }),
    );
    t.true(outcomes.filter(({ status }) => status === 'fulfilled').length >= 8);
    const { providerState } = await statesAt(1).getProviderState({ name });
    t.is(offers.at(-1)?.closed, providerState?.state === ProviderLifeState.QUARANTINED);
  },
);

serial(
  'what happened to a claim is told once by replicas that see it at the same moment',
  async (t) => {
    const store = await openSql({
      service: 'machine',
      url: await createUrl(),
      entities: [],
      migrations: machineMigrations,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    const records = createRecords(systemClock);
    const deps = { store, records, clock: systemClock, random: systemRandom };
    const claim: FollowedClaim = {
      name: `${PROJECT}/claims/mine`,
      uid: systemRandom.uid(),
      state: 'released',
      consumerType: '',
      consumerUid: '',
      createMs: 0,
      places: [],
      owner: 'users/ann',
      releaseMs: undefined,
      warnMs: undefined,
      releaseBeginMs: undefined,
      finishMs: undefined,
      end: 'expired',
      problem: undefined,
      replacements: 3,
    };
    await Promise.all(Array.from({ length: 8 }, () => announceClaim(deps, claim)));
    const token = await store.changes.head();
    const seen = await store.read((reader) => records.claimNews.told(reader, claim.uid));
    t.deepEqual([...seen].toSorted(), ['expired', 'released', 'replaced 3']);
    const filter = {
      parent: { partition: '-', project: '-' },
      access: accessFor(
        { kind: 'user', principal: 'users/a', uid: 'a', grants: [ALL] },
        'event.list',
      ),
      targetUid: claim.uid,
      newestFirst: false,
    };
    const page = { size: 50, limit: 51, tokenAt: () => token };
    const events = await store.read((reader) => records.events.list(reader, filter, page));
    t.is(events.length, 3);
    await store.close();
  },
);

const ALL = { role: 'admin', permissions: new Set(['*']) };

serial('of three replicas one brings each event to a webhook, also when it leaves', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile('s');
  const webhook = { id: 'crm', url: receiver.url, types: ['claim.*'], secretFile: secret.file };
  await using site = await startSite({
    replicas: 3,
    url: await createUrl(),
    config: { ...QUICK, sinks: { webhooks: [webhook] } },
  });
  await begun(site);
  const ids = Array.from({ length: 10 }, (_, at) => `c${at}`);
  for (const id of ids) tellOfClaim(site, id);
  await eventually(() => receiver.taken.length >= ids.length);
  for (const [at, replica] of site.replicas.slice(0, 2).entries()) {
    await replica.stop();
    tellOfClaim(site, `later-${at}`);
    await eventually(() => receiver.taken.length >= ids.length + at + 1);
  }
  const uids = receiver.taken.map(({ headers }) => headers['webhook-id']);
  t.is(new Set(uids).size, ids.length + 2);
  t.is(uids.length, ids.length + 2);
});
