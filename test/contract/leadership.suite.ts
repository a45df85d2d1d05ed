import type { ExecutionContext, TestFn } from 'ava';
import { campaign } from '../../services/store/coordination/leadership.ts';
import type { Leadership } from '../../services/store/coordination/leadership-port.ts';
import {
  register,
  watchLeader,
  watchMembers,
} from '../../services/store/coordination/membership.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { aborted } from '../../services/store/coordination/waiting.ts';
import { eventually } from '../support/eventually.ts';
import type { StartStore } from './coordination.suite.ts';
import {
  keysBelow,
  leaseDeps,
  put,
  type StoreUnderTest,
  soon,
  text,
  withFreezableLeases,
  write,
} from './coordination-support.ts';

const KEY = 'p/leader';

/** A candidate that leads until its leadership ends, and notes when. */
export type Candidate = {
  readonly address: string;
  /** One for each time it led. */
  readonly terms: { readonly leadership: Leadership; endedAtMs: number | undefined }[];
  readonly leads: () => boolean;
  /** Ends the campaign; resolves when it has ended. */
  readonly stop: () => Promise<void>;
};

/** Far longer than it takes, and far shorter than the leases where nobody may wait for one. */
const WAIT_MS = 60_000;

type CandidateOptions = { readonly address: string; readonly leaseTtlMs: number };

export const stand = (
  t: ExecutionContext,
  coordination: Coordination,
  { address, leaseTtlMs }: CandidateOptions,
): Candidate => {
  const stopping = new AbortController();
  const terms: Candidate['terms'] = [];
  const lead = async (leadership: Leadership): Promise<void> => {
    const term: Candidate['terms'][number] = { leadership, endedAtMs: undefined };
    terms.push(term);
    await aborted(leadership.signal);
    term.endedAtMs = performance.now();
  };
  const { signal } = stopping;
  const options = { key: KEY, address, leaseTtlMs, lead, signal };
  const running = campaign(leaseDeps(coordination), options);
  const stop = (): Promise<void> => {
    stopping.abort(new Error('the test has ended'));
    return running;
  };
  t.teardown(stop);
  return { address, terms, leads: () => terms.at(-1)?.leadership.signal.aborted === false, stop };
};

/** What every implementation of the port must give to those who campaign, register and look up. */
export const leadershipSuite = (test: TestFn, start: StartStore): void => {
  electionTests(test, start);
  staleLeaderTests(test, start);
  membershipTests(test, start);
};

const electionTests = (test: TestFn, start: StartStore): void => {
  test.serial('of several candidates one leads, and when it resigns another', async (t) => {
    await using store = await start();
    // Nobody waits for the lease of who resigned, as the test would not wait that long.
    const leaseTtlMs = 10 * WAIT_MS;
    const candidates = ['a', 'b', 'c'].map((address) =>
      stand(t, store.another(), { address, leaseTtlMs }),
    );
    const leaders = () => candidates.filter(({ leads }) => leads());
    await eventually(() => leaders().length === 1);
    const [first] = leaders();
    t.is(text(await store.coordination.get(KEY, soon())), first?.address);
    await first?.stop();
    const second = await eventually(() => leaders().find((one) => one !== first), {
      limitMs: WAIT_MS,
    });
    t.is(text(await store.coordination.get(KEY, soon())), second.address);
    t.is(leaders().length, 1);
    await Promise.all(candidates.map((candidate) => candidate.stop()));
    t.is(await store.coordination.get(KEY, soon()), undefined);
  });

  test.serial('a leader leads for many times its lease', async (t) => {
    await using store = await start();
    const { leaseTtlMs } = store;
    const leader = stand(t, store.coordination, { address: 'a', leaseTtlMs });
    await eventually(() => leader.leads());
    const endMs = performance.now() + 2.5 * leaseTtlMs;
    await eventually(() => performance.now() > endMs);
    t.is(leader.terms.length, 1);
    t.true(leader.leads());
    await leader.stop();
  });

  test.serial('what a leader writes with its fence is written', async (t) => {
    await using store = await start();
    const leader = stand(t, store.coordination, { address: 'a', leaseTtlMs: store.leaseTtlMs });
    await eventually(() => leader.leads());
    t.true(await writeFenced(store.coordination, leader, 'work'));
    await leader.stop();
    t.false(await writeFenced(store.coordination, leader, 'late'));
    t.is(await store.coordination.get('late', soon()), undefined);
  });

  test.serial('a leader whose work fails resigns and stands again', async (t) => {
    await using store = await start();
    const stopping = new AbortController();
    const revisions: string[] = [];
    const running = campaign(leaseDeps(store.coordination), {
      key: KEY,
      address: 'a',
      leaseTtlMs: store.leaseTtlMs,
      signal: stopping.signal,
      lead: async ({ fence }) => {
        revisions.push(String(fence.equals));
        if (revisions.length < 3) throw new Error('work failed');
        stopping.abort(new Error('enough'));
      },
    });
    await running;
    t.is(new Set(revisions).size, 3);
    t.is(await store.coordination.get(KEY, soon()), undefined);
  });

  test.serial('a leader can resign in the middle of its work', async (t) => {
    await using store = await start();
    const stopping = new AbortController();
    const seen: boolean[] = [];
    await campaign(leaseDeps(store.coordination), {
      key: KEY,
      address: 'a',
      leaseTtlMs: store.leaseTtlMs,
      signal: stopping.signal,
      lead: async (leadership) => {
        await leadership.resign();
        await leadership.resign();
        seen.push(leadership.signal.aborted);
        seen.push((await store.coordination.get(KEY, soon())) === undefined);
        stopping.abort(new Error('enough'));
      },
    });
    t.deepEqual(seen, [true, true]);
  });

  test.serial('a leader whose key is deleted steps down and stands again', async (t) => {
    await using store = await start();
    const leader = stand(t, store.coordination, { address: 'a', leaseTtlMs: store.leaseTtlMs });
    await eventually(() => leader.leads());
    await write(store.coordination, { delete: KEY });
    await eventually(() => leader.terms.length === 2 && leader.leads());
    t.truthy(leader.terms[0]?.endedAtMs);
    await leader.stop();
  });
};

const writeFenced = async (
  coordination: Coordination,
  leader: Candidate,
  key: string,
): Promise<boolean> => {
  const fence = leader.terms[0]?.leadership.fence;
  if (fence === undefined) throw new Error(`${leader.address} never led`);
  const transaction = { compare: [fence], writes: [put(key, leader.address)] };
  return (await coordination.transact(transaction, soon())).succeeded;
};

const staleLeaderTests = (test: TestFn, start: StartStore): void => {
  test.serial('a leader that is cut off steps down before another leads', async (t) => {
    await using store = await start();
    const { leaseTtlMs } = store;
    const cutOff = withFreezableLeases(store.coordination);
    const old = stand(t, cutOff.coordination, { address: 'old', leaseTtlMs });
    await eventually(() => old.leads());
    cutOff.freeze();
    let successorAtMs = Number.POSITIVE_INFINITY;
    const next = stand(t, store.another(), { address: 'next', leaseTtlMs });
    await eventually(() => next.leads());
    successorAtMs = performance.now();
    const endedAtMs = old.terms[0]?.endedAtMs ?? Number.POSITIVE_INFINITY;
    t.true(endedAtMs < successorAtMs, `${endedAtMs} is not before ${successorAtMs}`);
    t.false(await writeFenced(store.coordination, old, 'stale'), 'the fence holds');
    t.is(await store.coordination.get('stale', soon()), undefined);
    t.true(await writeFenced(store.another(), next, 'fresh'));
    cutOff.thaw();
    await Promise.all([old.stop(), next.stop()]);
    t.is(old.terms.length, 1);
  });

  test.serial('a leader that was cut off and came back leads again when it is free', async (t) => {
    await using store = await start();
    const { leaseTtlMs } = store;
    const cutOff = withFreezableLeases(store.coordination);
    const only = stand(t, cutOff.coordination, { address: 'only', leaseTtlMs });
    await eventually(() => only.leads());
    cutOff.freeze();
    await eventually(() => !only.leads());
    cutOff.thaw();
    await eventually(() => only.leads());
    t.is(only.terms.length, 2);
    await only.stop();
    t.deepEqual(await keysBelow(store.coordination, ''), []);
  });
};

const memberships = (store: StoreUnderTest, coordination: Coordination) => {
  const { leaseTtlMs } = store;
  return (id: string, signal: AbortSignal): Promise<void> => {
    const member = { service: 'machine', id, address: `host-${id}:7444`, leaseTtlMs, signal };
    return register(leaseDeps(coordination), member);
  };
};

const membershipTests = (test: TestFn, start: StartStore): void => {
  test.serial('members are seen while they are registered, and gone when they leave', async (t) => {
    await using store = await start();
    const watching = new AbortController();
    const { signal } = watching;
    const deps = leaseDeps(store.another());
    const members = watchMembers(deps, { service: 'machine', signal });
    await members.ready;
    t.deepEqual(members.list(), []);
    const [a, b] = [new AbortController(), new AbortController()];
    const join = memberships(store, store.coordination);
    const registrations = [join('1', a.signal), join('2', b.signal)];
    await eventually(() => members.list().length === 2);
    t.deepEqual(members.list()[0], { id: '1', address: 'host-1:7444' });
    a.abort();
    await eventually(() => members.list().length === 1);
    t.is(members.list()[0]?.id, '2');
    b.abort();
    await Promise.all(registrations);
    t.deepEqual(await keysBelow(store.coordination, 'members/'), []);
    watching.abort();
  });

  test.serial('a member that was cut off is gone, and registers again by itself', async (t) => {
    await using store = await start();
    const watching = new AbortController();
    const { signal } = watching;
    const members = watchMembers(leaseDeps(store.another()), { service: 'machine', signal });
    const cutOff = withFreezableLeases(store.coordination);
    const leaving = new AbortController();
    const registered = memberships(store, cutOff.coordination)('1', leaving.signal);
    await eventually(() => members.list().length === 1);
    cutOff.freeze();
    await eventually(() => members.list().length === 0);
    cutOff.thaw();
    await eventually(() => members.list().length === 1);
    leaving.abort();
    await registered;
    watching.abort();
    t.pass();
  });

  test.serial('the address of a leader is looked up and follows it', async (t) => {
    await using store = await start();
    const watching = new AbortController();
    const { signal } = watching;
    const leader = watchLeader(leaseDeps(store.another()), { key: KEY, signal });
    await leader.ready;
    t.is(leader.address(), undefined);
    await write(store.coordination, put(KEY, 'a:1'), put(`${KEY}2`, 'not:1'));
    await eventually(() => leader.address() === 'a:1');
    await write(store.coordination, put(KEY, 'b:1'));
    await eventually(() => leader.address() === 'b:1');
    await write(store.coordination, { delete: KEY });
    await eventually(() => leader.address() === undefined);
    watching.abort();
    t.pass();
  });
};
