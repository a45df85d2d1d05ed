/** The agent's row: greeted, marked down, orphans noted. */
import type { Clock } from '../../runtime/clock.ts';
import { failedPrecondition, permissionDenied } from '../../runtime/errors.ts';
import { placeOf } from '../../runtime/names.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { AgentSession, HelloView } from '../agent-port.ts';
import { type EventDraft, event } from '../domain/event.ts';
import { greet } from '../domain/hello.ts';
import type { IdentityPort } from '../neighbours-port.ts';
import type { Agent, Records } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly identity: IdentityPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly replica: { readonly id: string; readonly address: string };
};

const ACTOR = { principal: 'services/machine', requestId: 'agent sessions' };

/**
 * Takes agents over: an agent's epoch grows, so every earlier session of it is stale from the
 * commit on. After an outage thousands come at once, so those that wait are greeted together.
 */
export type Greeter = {
  /** Errors: permission_denied for a stranger, failed_precondition INVALID_STATE in quarantine. */
  readonly greet: (hello: HelloView, signal: AbortSignal) => Promise<Agent>;
};

type Greeting = { readonly first: Agent; readonly hello: HelloView };
type Greeted = { readonly agent: Agent; readonly quarantined: boolean };
type Waiting = Greeting & {
  readonly resolve: (greeted: Greeted) => void;
  readonly reject: (error: unknown) => void;
};

const GREETED_TOGETHER_MAX = 64;

export const createGreeter = (deps: Deps): Greeter => {
  let waiting: Waiting[] = [];
  let isRunning = false;
  const drain = async (): Promise<void> => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, GREETED_TOGETHER_MAX);
      waiting = waiting.slice(batch.length);
      await greetTogether(deps, batch);
    }
    isRunning = false;
  };
  return {
    greet: async (hello, signal) => {
      const known = await deps.store.read((r) => deps.records.agents.find(r, hello.agentUid));
      const first = known ?? (await newAgent(deps, hello, signal));
      const greeted = await new Promise<Greeted>((resolve, reject) => {
        waiting.push({ first, hello, resolve, reject });
        if (!isRunning) drain().catch(reject);
      });
      if (greeted.quarantined) throw quarantined(greeted.agent);
      return greeted.agent;
    },
  };
};

/** Never throws: each learns of its own fate. */
const greetTogether = async (deps: Deps, batch: readonly Waiting[]): Promise<void> => {
  try {
    const greeted = await deps.store.transaction(undefined, ACTOR, async (tx) => {
      const all: (readonly [Waiting, Greeted])[] = [];
      // In the order of uids, so that two replicas never wait for each other.
      const sorted = batch.toSorted((a, b) => (a.hello.agentUid < b.hello.agentUid ? -1 : 1));
      for (const one of sorted) all.push([one, await takeOver(deps, tx, one)]);
      return all;
    });
    for (const [one, result] of greeted) one.resolve(result);
  } catch (error) {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) only.reject(error);
    // One of them is the cause: alone it shows which.
    else for (const one of batch) await greetTogether(deps, [one]);
  }
};

const takeOver = async (deps: Deps, tx: Tx, { first, hello }: Greeting): Promise<Greeted> => {
  const nowMs = deps.clock.now().getTime();
  const locked = await deps.records.agents.lock(tx, hello.agentUid);
  const agent = locked ?? (await succeed(deps, tx, first));
  if (agent.quarantineUntilMs > nowMs) return { agent, quarantined: true };
  const verdict = greet(agent.greetings, hello.instanceId, nowMs);
  const epoch = agent.epoch + 1;
  const isQuarantined = verdict.kind === 'quarantine';
  const next: Agent = {
    ...agent,
    epoch,
    greetings: verdict.greetings,
    updateMs: nowMs,
    quarantineUntilMs: isQuarantined ? verdict.untilMs : 0,
    ...(isQuarantined
      ? { state: 'down', sinceMs: nowMs, replica: '', address: '' }
      : present(agent, hello, { nowMs, replica: deps.replica })),
  };
  await deps.records.agents.save(tx, next);
  const draft = isQuarantined ? quarantineEvent(nowMs) : upEvent(nowMs, deps.replica.id);
  await tellAgent(deps, tx, { agent: next, drafts: [draft] });
  return { agent: next, quarantined: isQuarantined };
};

/**
 * A new agent. One that was revoked and joined again has another uid and takes the place of its
 * name: machines are addressed to the name. The epoch goes on, so that whatever is left of the
 * former session is the older one.
 */
const succeed = async (deps: Deps, tx: Tx, first: Agent): Promise<Agent> => {
  const key = `partitions/${first.partition}/agents/${first.agentId}`;
  const former = await deps.records.agents.findByKey(tx, key);
  if (former !== undefined) await deps.records.agents.remove(tx, former.uid);
  const agent = { ...first, epoch: former?.epoch ?? 0 };
  await deps.records.agents.insert(tx, agent);
  return agent;
};

const hasSession = ({ state }: Agent): boolean => state === 'up' || state === 'drained';

type At = { readonly nowMs: number; readonly replica: Deps['replica'] };

const present = (agent: Agent, hello: HelloView, { nowMs, replica }: At): Partial<Agent> => ({
  state: agent.isDrained === true ? 'drained' : 'up',
  sinceMs: hasSession(agent) ? agent.sinceMs : nowMs,
  replica: replica.id,
  address: replica.address,
  journalId: hello.journalId,
  // A new journal counts from 1 again: what it says is not what was stored of the old one.
  lastSequence: agent.journalId === hello.journalId ? agent.lastSequence : 0,
  roles: hello.roles,
  programVersion: hello.programVersion,
  host: hello.host,
  orphans: [],
});

/** Identity knows its name: the certificate holds only the uid. */
const newAgent = async (deps: Deps, hello: HelloView, signal: AbortSignal): Promise<Agent> => {
  const found = await deps.identity.findAgent(hello.agentUid, signal);
  const place = placeOf(found?.name ?? '');
  if (found === undefined || place.partition === undefined) {
    throw permissionDenied('NOT_ALLOWED', `No agent with the uid ${hello.agentUid} has joined`, {
      metadata: { agent: hello.agentUid },
    });
  }
  const nowMs = deps.clock.now().getTime();
  return {
    uid: hello.agentUid,
    version: 1,
    partition: place.partition,
    agentId: found.name.split('/').at(-1) ?? hello.agentUid,
    epoch: 0,
    replica: '',
    address: '',
    state: 'down',
    sinceMs: nowMs,
    createMs: nowMs,
    updateMs: nowMs,
    journalId: '',
    lastSequence: 0,
    roles: [],
    programVersion: '',
    host: null,
    orphans: [],
    greetings: [],
    quarantineUntilMs: 0,
  };
};

type Told = { readonly agent: Agent; readonly drafts: readonly EventDraft[] };

const tellAgent = (deps: Deps, tx: Tx, { agent, drafts }: Told): Promise<void> => {
  const recordMs = deps.clock.now().getTime();
  return deps.records.events.insert(
    tx,
    drafts.map((draft) => ({
      ...draft,
      uid: deps.random.uid(),
      recordMs,
      partition: agent.partition,
      project: '',
      target: `partitions/${agent.partition}/agents/${agent.agentId}`,
      targetUid: agent.uid,
      principal: '',
      operation: '',
    })),
  );
};

const upEvent = (nowMs: number, replica: string) =>
  event(nowMs, { type: 'agent.up', message: 'The agent is connected', data: { replica } });

const quarantineEvent = (nowMs: number) =>
  event(nowMs, {
    type: 'agent.quarantined',
    severity: 'error',
    message:
      'Two processes take turns with the certificate of this agent; both are refused for five ' +
      'minutes. Stop one of them (a cloned disk?) or let it join as an agent of its own',
  });

const quarantined = (agent: Agent) =>
  failedPrecondition(
    'INVALID_STATE',
    `The agent is quarantined until ${new Date(agent.quarantineUntilMs).toISOString()}: two ` +
      'processes use its certificate',
    { invalidState: { state: 'QUARANTINED', allowed: ['UP', 'DOWN'] } },
  );

export type Ended = { readonly session: AgentSession; readonly why: string };

/** Marks those down whose session was still the newest; the others are somebody else's. */
export const markDown = async (deps: Deps, ended: readonly Ended[]): Promise<void> => {
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const sorted = ended.toSorted((a, b) => (a.session.agentUid < b.session.agentUid ? -1 : 1));
    for (const { session, why } of sorted) {
      await setDown(deps, tx, { uid: session.agentUid, epoch: session.epoch, why });
    }
  });
};

type Down = {
  readonly uid: string;
  readonly epoch: number;
  readonly why: string;
  /** Absent = down. */
  readonly state?: 'revoked';
};

const setDown = async (deps: Deps, tx: Tx, down: Down): Promise<boolean> => {
  const { uid, epoch, state = 'down' } = down;
  const agent = await deps.records.agents.lock(tx, uid);
  if (agent === undefined || agent.epoch !== epoch || agent.state === state) return false;
  if (state === 'down' && !hasSession(agent)) return false;
  const nowMs = deps.clock.now().getTime();
  const next: Agent = {
    ...agent,
    // Grown, so that a session which only seemed dead learns that it is over.
    epoch: agent.epoch + 1,
    state,
    sinceMs: nowMs,
    updateMs: nowMs,
    replica: '',
    address: '',
  };
  await deps.records.agents.save(tx, next);
  const draft = state === 'revoked' ? revokedEvent(nowMs) : downEvent(nowMs, down.why);
  await tellAgent(deps, tx, { agent: next, drafts: [draft] });
  return true;
};

const downEvent = (nowMs: number, why: string) =>
  event(nowMs, {
    type: 'agent.down',
    severity: 'warning',
    message: `The agent has no session any more (${why}); its machines go on`,
    data: { reason: why },
  });

const revokedEvent = (nowMs: number) =>
  event(nowMs, {
    type: 'agent.revoked',
    severity: 'warning',
    message:
      'The certificates of the agent were revoked; its machines go on. With a new join token it ' +
      'can join again under its name',
  });

/** For agents whose replica is gone. Answers how many were marked. */
export const markLost = async (
  deps: Deps,
  lost: readonly Pick<Agent, 'uid' | 'epoch'>[],
): Promise<number> =>
  deps.store.transaction(undefined, ACTOR, async (tx) => {
    let count = 0;
    for (const { uid, epoch } of lost) {
      if (await setDown(deps, tx, { uid, epoch, why: 'REPLICA_LOST' })) count += 1;
    }
    return count;
  });

/** Those whose certificates were revoked, connected or not. Answers how many were marked. */
export const markRevoked = async (
  deps: Deps,
  revoked: readonly Pick<Agent, 'uid' | 'epoch'>[],
): Promise<number> =>
  deps.store.transaction(undefined, ACTOR, async (tx) => {
    let count = 0;
    const sorted = revoked.toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
    for (const { uid, epoch } of sorted) {
      if (await setDown(deps, tx, { uid, epoch, why: 'REVOKED', state: 'revoked' })) count += 1;
    }
    return count;
  });

/**
 * What the agent holds and nobody wants: shown on the agent, kept there until an operator decides.
 */
export const recordOrphans = async (
  deps: Deps,
  session: AgentSession,
  orphans: readonly string[],
): Promise<void> => {
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const agent = await deps.records.agents.lock(tx, session.agentUid);
    if (agent === undefined || agent.epoch !== session.epoch) return;
    await deps.records.agents.save(tx, { ...agent, orphans });
    const nowMs = deps.clock.now().getTime();
    const drafts = orphans.slice(0, 100).map((uid) =>
      event(nowMs, {
        type: 'agent.orphan',
        severity: 'warning',
        message: `It holds ${uid}, which nobody wants; it is kept`,
        data: { uid },
      }),
    );
    await tellAgent(deps, tx, { agent, drafts });
  });
};
