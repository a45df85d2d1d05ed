/** Capacity that is taken away while 64 claim it: nothing is held that is not there. */
import test from 'ava';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import {
  addHost,
  CLAIMERS,
  CPU,
  claimOne,
  type Hall,
  type Host,
  hearsOfAll,
  newId,
  setClosed,
  startHall,
  uidsOf,
} from './inventory-claimers.ts';

const LAB = 'partitions/lab';

const startHosts = async (hall: Hall, count: number, cpus: number): Promise<readonly Host[]> => {
  const hosts = await Promise.all(
    Array.from({ length: count }, (_, at) => addHost(hall, `host-${at}`, cpus)),
  );
  await hearsOfAll(hall, hosts);
  return hosts;
};

/** True when it was done, false when it is in use; BUSY is tried again. */
const isDone = async (change: () => Promise<unknown>): Promise<boolean> => {
  for (;;) {
    try {
      await change();
      return true;
    } catch (thrown) {
      const error = domainErrorOf(thrown);
      if (isDomainError(error, 'failed_precondition', 'IN_USE')) return false;
      if (!isDomainError(error, 'aborted', 'BUSY')) throw thrown;
    }
  }
};

const setCpus = (hall: Hall, { name }: Host, cpus: number): Promise<boolean> => {
  const inventories = cpus === 0 ? [] : [{ resourceType: CPU, total: BigInt(cpus) }];
  return isDone(() =>
    hall.providers.updateProvider({
      provider: { name, spec: { type: ProviderType.VM_HOST, inventories } },
      updateMask: { paths: ['spec.inventories'] },
      requestId: newId(),
    }),
  );
};

/** All claimers at once, each `times` in a row; gives what was granted. */
const claimAll = async (hall: Hall, times: number): Promise<readonly Claim[]> => {
  const granted: Claim[] = [];
  const claimer = async (name: string) => {
    for (let at = 0; at < times; at += 1) {
      const claim = await claimOne(hall, `${name}-${at}`);
      if (claim !== undefined) granted.push(claim);
    }
  };
  await Promise.all(Array.from({ length: CLAIMERS }, (_, at) => claimer(`c${at}`)));
  return granted;
};

const heldByHost = (claims: readonly Claim[]): ReadonlyMap<string, number> => {
  const held = new Map<string, number>();
  for (const uid of claims.flatMap(uidsOf)) held.set(uid, (held.get(uid) ?? 0) + 1);
  return held;
};

test('hosts that shrink while 64 claim are never held above what they have', async (t) => {
  const hall = await startHall(t);
  const hosts = await startHosts(hall, 4, 32);
  const outcomes = { done: 0, inUse: 0 };
  const left = new Map(hosts.map(({ uid }) => [uid, 32]));
  const shrink = async (host: Host) => {
    for (let cpus = 30; cpus >= 0; cpus -= 2) {
      const isWritten = await setCpus(hall, host, cpus);
      if (isWritten) outcomes.done += 1;
      else outcomes.inUse += 1;
      if (!isWritten) return;
      left.set(host.uid, cpus);
    }
  };
  const [granted] = await Promise.all([claimAll(hall, 3), Promise.all(hosts.map(shrink))]);
  const held = heldByHost(granted);
  for (const { uid, name } of hosts) {
    const { provider } = await hall.providers.getProvider({ name });
    const total = Number(provider?.spec?.inventories[0]?.total ?? 0n);
    t.is(total, left.get(uid) ?? -1, 'what was acknowledged is written, and nothing else');
    t.true((held.get(uid) ?? 0) <= total, `${held.get(uid)} of ${total} are held of ${name}`);
  }
  // Who comes first is chance: where claimers took all, no host could shrink.
  t.log(outcomes, granted.length);
  t.true(outcomes.done + granted.length > 0);
});

test('a host that is deleted while 64 claim is gone or held, never both', async (t) => {
  const hall = await startHall(t);
  const hosts = await startHosts(hall, 2 * CLAIMERS, 1);
  const remove = async (host: Host): Promise<readonly [string, boolean]> => [
    host.uid,
    await isDone(() => hall.providers.deleteProvider({ name: host.name, requestId: newId() })),
  ];
  const half = hosts.filter((_, at) => at % 2 === 0);
  const [removed, granted] = await Promise.all([Promise.all(half.map(remove)), claimAll(hall, 1)]);
  const held = heldByHost(granted);
  t.true([...held.values()].every((count) => count === 1));
  const { providers: there } = await hall.providers.listProviders({ parent: LAB, pageSize: 1000 });
  const uids = new Set(there.map(({ uid }) => uid));
  for (const uid of held.keys()) t.true(uids.has(uid), `${uid} is held and gone`);
  for (const [uid, isGone] of removed) t.is(uids.has(uid), !isGone);
  const gone = removed.filter(([, isGone]) => isGone).length;
  t.log({ granted: granted.length, gone, refused: removed.length - gone });
  t.true(granted.length > 0 && gone > 0);
  t.is(uids.size, hosts.length - gone);
});

test('nothing is claimed on a host that was closed, whatever inventory changes meanwhile', async (t) => {
  const hall = await startHall(t);
  const hosts = await startHosts(hall, 8, 64);
  const closed = new Set<string>();
  const found: string[] = [];
  const granted = { before: 0, after: 0 };
  let isOver = false;
  const claimer = async (name: string) => {
    for (let at = 0; !isOver; at += 1) {
      const before = new Set(closed);
      const claim = await claimOne(hall, `${name}-${at}`);
      if (claim === undefined) return;
      granted[before.size === 0 ? 'before' : 'after'] += 1;
      found.push(...uidsOf(claim).filter((uid) => before.has(uid)));
    }
  };
  // Each is shrunk and grown while it is closed: neither may open it again.
  const maintain = async (host: Host) => {
    const change = setCpus(hall, host, 63);
    await setClosed(hall, host, true);
    closed.add(host.uid);
    await change;
    await setCpus(hall, host, 62);
    await setCpus(hall, host, 64);
  };
  const claimers = Array.from({ length: CLAIMERS }, (_, at) => claimer(`c${at}`));
  const maintained = (async () => {
    for (const host of hosts.slice(0, -1)) await maintain(host);
    isOver = true;
  })();
  await Promise.all([...claimers, maintained]);
  t.deepEqual(found, []);
  t.log(granted);
  t.true(granted.after > 0, 'there was claiming beside a closed host');
  t.is(closed.size, hosts.length - 1);
});

test('amounts that go to and fro with their claims while 64 claim are never held twice', async (t) => {
  const hall = await startHall(t);
  const server = await addHost(hall, 'server', 96);
  const { provider: part } = await hall.providers.createProvider({
    parent: LAB,
    providerId: 'part',
    provider: { spec: { type: ProviderType.DEVICE, parentProvider: server.name } },
    requestId: newId(),
  });
  if (part === undefined) throw new Error('No provider in the answer');
  await setClosed(hall, part, false);
  await hearsOfAll(hall, [server]);
  const offers = (cpus: number) => (cpus === 0 ? [] : [{ resourceType: CPU, total: BigInt(cpus) }]);
  let isOver = false;
  let reshapes = 0;
  const reshape = (cpus: number, to: Host, from: Host) =>
    hall.providers.reshapeProvider({
      parent: LAB,
      providers: [
        { provider: to.uid, inventories: offers(cpus) },
        { provider: from.uid, inventories: offers(96 - cpus) },
      ],
      moves: [{ fromProvider: from.uid, toProvider: to.uid, resourceType: CPU }],
      requestId: newId(),
    });
  const swing = async () => {
    let [to, from]: readonly Host[] = [part, server];
    while (!isOver || reshapes === 0) {
      // While nothing is claimed yet there is nothing to move.
      const done = reshape(96, to ?? part, from ?? server).then(
        () => true,
        () => false,
      );
      if (!(await done)) continue;
      reshapes += 1;
      [to, from] = [from, to];
    }
  };
  const swinging = swing();
  const granted = await claimAll(hall, 2);
  isOver = true;
  await swinging;
  const { claims } = await hall.claims.listClaims({ parent: `${LAB}/projects/-`, pageSize: 1000 });
  t.is(claims.length, granted.length);
  const held = heldByHost(claims);
  for (const name of [server.name, part.name]) {
    const { provider } = await hall.providers.getProvider({ name });
    const total = Number(provider?.spec?.inventories[0]?.total ?? 0n);
    t.true((held.get(provider?.uid ?? '') ?? 0) <= total, `${name} has ${total}`);
  }
  t.log({ granted: granted.length, reshapes });
  t.true(granted.length > 0 && granted.length <= 96 && reshapes > 0);
});
