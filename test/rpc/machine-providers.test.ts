/** Operators take providers out of the pool and give them back; the scheduler decides first. */
import { clone, create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import test from 'ava';
import { ProviderSchema, ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import {
  AllocationSchema,
  ClaimSchema,
  ClaimState,
} from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { MachineTables } from '../../services/machine/store/tables.ts';
import { aborted } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { clientsOf, connectAgent, PROJECT, type Site, startSite, uuid } from './machine-fixture.ts';
import { PROVIDER } from './machine-neighbours.ts';
import { openStore } from './machine-sink-fixture.ts';

const HOST = `${PROVIDER}/state`;
const METAL = 'partitions/lab/providers/Metal-1';

const as = (site: Site, token: string, at = 0) => {
  const replica = site.replicas[at];
  if (replica === undefined) throw new Error('no replica');
  return clientsOf(replica.asPerson(token));
};

const addMetal = (site: Site) => {
  const provider = create(ProviderSchema, {
    name: METAL,
    uid: systemRandom.uid(),
    generation: 3n,
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
    },
  });
  site.neighbours.addProvider(provider);
  return provider;
};

const lastWord = (site: Site, uid: string) =>
  site.neighbours.offers.findLast((offer) => offer.providerUid === uid);

const open = async (site: Site) => {
  const { uid } = site.neighbours.provider;
  await connectAgent(site);
  await eventually(() => lastWord(site, uid)?.closed === false, { message: 'the host is open' });
  return uid;
};

const stateOf = async (site: Site, name: string, at = 0) =>
  (await as(site, 'operator', at).providerStates.getProviderState({ name })).providerState;

test('a host in maintenance is closed at the scheduler and stays so whatever happens', async (t) => {
  await using site = await startSite();
  const uid = await open(site);
  const { providerStates: states } = as(site, 'operator');
  const asked = { name: HOST, reason: 'new fans', requestId: uuid() };
  const { providerState } = await states.maintainProvider(asked);
  t.like(providerState, { state: Life.MAINTENANCE, reason: 'new fans' });
  t.is(providerState?.principal, 'users/operator');
  t.is(lastWord(site, uid)?.closed, true);
  site.neighbours.changeProvider(({ spec }) => {
    if (spec?.inventories[0] !== undefined) spec.inventories[0].total = 8n;
  });
  await eventually(() => lastWord(site, uid)?.inventoryGeneration === 2n);
  t.is(lastWord(site, uid)?.closed, true, 'the new generation is told as closed');
  await site.add();
  const after = site.neighbours.offers.length;
  // Somebody else's word opens it at the leader: it is closed again.
  const opened = site.neighbours.offers.at(-1);
  if (opened !== undefined) site.neighbours.offers.push({ ...opened, closed: false });
  await eventually(() => lastWord(site, uid)?.closed === true, { message: 'closed again' });
  t.true(site.neighbours.offers.slice(after + 1).every(({ closed }) => closed));
  t.is((await stateOf(site, HOST, 1))?.state, Life.MAINTENANCE);
  const { providerState: back } = await states.returnProvider({ name: HOST, requestId: uuid() });
  t.is(back?.state, Life.AVAILABLE);
  t.is(lastWord(site, uid)?.closed, false);
});

test('a repeated request is answered as before, whatever the state is by then', async (t) => {
  await using site = await startSite();
  await open(site);
  const { providerStates: states } = as(site, 'operator');
  const maintain = { name: HOST, reason: 'x', requestId: uuid() };
  const first = await states.maintainProvider(maintain);
  const giveBack = { name: HOST, requestId: uuid() };
  const second = await states.returnProvider(giveBack);
  t.deepEqual(await states.returnProvider(giveBack), second);
  t.deepEqual(await states.maintainProvider(maintain), first);
  t.is((await stateOf(site, HOST))?.state, Life.AVAILABLE);
  await refused(t, states.returnProvider({ name: HOST, requestId: uuid() }), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
});

test('a quarantine goes before maintenance, and one return ends it', async (t) => {
  await using site = await startSite();
  const uid = await open(site);
  const { providerStates: states } = as(site, 'operator');
  const say = () => ({ name: HOST, reason: 'odd firmware', requestId: uuid() });
  await states.maintainProvider(say());
  const { providerState } = await states.quarantineProvider(say());
  t.is(providerState?.state, Life.QUARANTINED);
  const error = await refused(t, states.maintainProvider(say()), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
  t.is(error.metadata.state, 'QUARANTINED');
  const stale = states.returnProvider({ ...say(), etag: 'other' });
  await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  await states.returnProvider({ ...say(), etag: providerState?.etag ?? '' });
  t.is(lastWord(site, uid)?.closed, false);
  const { events } = await as(site, 'operator').events.listEvents({
    parent: 'partitions/lab/projects/-',
    targetUid: uid,
  });
  t.deepEqual(
    events.map(({ type }) => type),
    ['provider.maintenance', 'provider.quarantined', 'provider.returned'],
  );
});

test('a server without an agent opens when an operator accepts it', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  await open(site);
  const { providerStates: states } = as(site, 'operator');
  const name = `${METAL}/state`;
  await eventually(async () => {
    const { providerStates: all } = await states.listProviderStates({ parent: 'partitions/lab' });
    return all.length === 2;
  });
  t.is(lastWord(site, metal.uid), undefined, 'it does not open by itself');
  t.is((await stateOf(site, name))?.state, Life.ENROLLED);
  await states.acceptProvider({ name, requestId: uuid() });
  t.like(lastWord(site, metal.uid), { closed: false, inventoryGeneration: 3n });
  t.is((await stateOf(site, `partitions/lab/providers/${metal.uid}/state`))?.state, Life.AVAILABLE);
  const hosts = states.acceptProvider({ name: HOST, requestId: uuid() });
  await t.notThrowsAsync(hosts, 'what is open already is accepted');
  const first = await states.listProviderStates({ parent: 'partitions/lab', pageSize: 1 });
  const { nextPageToken: pageToken } = first;
  const rest = await states.listProviderStates({
    parent: 'partitions/lab',
    pageSize: 1,
    pageToken,
  });
  t.deepEqual(
    [...first.providerStates, ...rest.providerStates].map((one) => one.name),
    [HOST, name],
  );
  t.is(rest.nextPageToken, '');
});

test('a server taken out before it was accepted is returned unopened', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const { providerStates: states } = as(site, 'operator');
  const name = `${METAL}/state`;
  await states.maintainProvider({ name, reason: 'not cabled', requestId: uuid() });
  t.is(lastWord(site, metal.uid)?.closed, true);
  await refused(t, states.acceptProvider({ name, requestId: uuid() }), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
  const { providerState } = await states.returnProvider({ name, requestId: uuid() });
  t.is(providerState?.state, Life.ENROLLED);
  t.is(lastWord(site, metal.uid)?.closed, true);
});

test('a host without its agent opens by itself later, not by accepting', async (t) => {
  await using site = await startSite();
  const { providerStates: states } = as(site, 'operator');
  await refused(t, states.acceptProvider({ name: HOST, requestId: uuid() }), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
  const { providerState } = await states.quarantineProvider({
    name: HOST,
    reason: 'x',
    requestId: uuid(),
  });
  t.is(providerState?.state, Life.QUARANTINED);
  await connectAgent(site);
  await states.returnProvider({ name: HOST, requestId: uuid() });
  await eventually(async () => (await stateOf(site, HOST))?.state === Life.AVAILABLE);
});

test('what the leader refuses or nobody knows changes nothing that is shown', async (t) => {
  await using site = await startSite();
  const uid = await open(site);
  const { providerStates: states } = as(site, 'operator');
  const say = () => states.maintainProvider({ name: HOST, reason: 'x', requestId: uuid() });
  site.neighbours.refuseCapacity(toConnectError(aborted('ETAG_MISMATCH', 'generation 2')));
  await refused(t, say(), { kind: 'aborted', reason: 'BUSY' });
  site.neighbours.refuseCapacity(new ConnectError('no leader', Code.Unavailable));
  await t.throwsAsync(say());
  t.is((await stateOf(site, HOST))?.state, Life.AVAILABLE);
  const before = site.neighbours.offers.length;
  site.neighbours.refuseCapacity(undefined);
  // It may have been closed: the host is told as open again.
  await eventually(() => site.neighbours.offers.length > before);
  t.is(lastWord(site, uid)?.closed, false);
  t.is((await say()).providerState?.state, Life.MAINTENANCE);
});

test('an opening that died half way is taken back', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const { providerStates: states } = as(site, 'operator');
  const name = `${METAL}/state`;
  await states.acceptProvider({ name, requestId: uuid() });
  // As after a crash between the leader's yes and the row: nobody knows who may claim it.
  const store = await openStore(site);
  const died = { state: 'enrolled', owner: 'dead', lease_until_ms: 0 };
  await eventually(() =>
    store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
      await tx.kysely<MachineTables>().updateTable('provider_state').set(died).execute();
      return true;
    }),
  );
  await store.close();
  await eventually(() => lastWord(site, metal.uid)?.closed === true, { message: 'closed again' });
  t.is((await stateOf(site, name))?.state, Life.ENROLLED);
  await states.acceptProvider({ name, requestId: uuid() });
  t.is(lastWord(site, metal.uid)?.closed, false);
});

test('an opening that died half way is taken back, whatever an operator says meanwhile', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const { providerStates: states } = as(site, 'operator');
  const name = `${METAL}/state`;
  await states.acceptProvider({ name, requestId: uuid() });
  const store = await openStore(site);
  // As after a crash between the leader's yes and the row, and a quarantine without the leader.
  const died = { state: 'quarantined', owner: 'dead', lease_until_ms: 0, doc: '{}' };
  await store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
    await tx.kysely<MachineTables>().updateTable('provider_state').set(died).execute();
  });
  await store.close();
  const { providerState } = await states.returnProvider({ name, requestId: uuid() });
  t.is(providerState?.state, Life.ENROLLED);
  await eventually(() => lastWord(site, metal.uid)?.closed === true, { message: 'closed again' });
});

/** How it ended; asked again where another's turn lasts. */
const outcomeInTurn = (ask: () => Promise<unknown>) =>
  eventually(async () => {
    const outcome = await ask().then(
      () => 'obeyed' as const,
      (error: unknown) => ConnectError.from(error).code,
    );
    return outcome !== Code.Aborted && outcome;
  });

test('of many operators at once each is obeyed in turn', async (t) => {
  await using site = await startSite({ replicas: 2 });
  const uid = await open(site);
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, at) => {
      const { providerStates: states } = as(site, 'operator', at % 2);
      const asked = { name: HOST, reason: `turn ${at}`, requestId: uuid() };
      return outcomeInTurn(() =>
        at % 3 === 0 ? states.returnProvider(asked) : states.quarantineProvider(asked),
      );
    }),
  );
  // Only a return of what is in the pool is refused.
  const isRight = (outcome: unknown, at: number) =>
    outcome === 'obeyed' || (outcome === Code.FailedPrecondition && at % 3 === 0);
  t.true(outcomes.every(isRight), outcomes.join());
  await eventually(async () => {
    const shown = await stateOf(site, HOST);
    return lastWord(site, uid)?.closed === (shown?.state === Life.QUARANTINED);
  });
});

test('a server of an ended claim is given back when an operator says that it is clean', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const host = await open(site);
  const { providerStates: states, events } = as(site, 'operator');
  const name = `${METAL}/state`;
  await states.acceptProvider({ name, requestId: uuid() });
  const allocation = (providerUid: string, resourceType: string) =>
    create(AllocationSchema, { group: 'main', providerUid, resourceType, amount: 1n });
  const claim = create(ClaimSchema, {
    name: `${PROJECT}/claims/mine`,
    uid: systemRandom.uid(),
    spec: { consumer: { type: 'somebody.else', uid: systemRandom.uid(), name: 'his' } },
    status: {
      state: ClaimState.ACTIVE,
      allocations: [
        allocation(metal.uid, 'runm.machine.whole'),
        allocation(host, 'runm.cpu.shared'),
      ],
    },
  });
  const heldOn = (uid: string) =>
    claim.status?.allocations.some((one) => one.providerUid === uid && !one.finishTime);
  site.neighbours.claims.set(claim.name, claim);
  site.neighbours.tellClaim();
  t.is((await stateOf(site, name))?.state, Life.IN_USE);
  if (claim.status !== undefined) claim.status.state = ClaimState.RELEASING;
  site.neighbours.tellClaim();
  await eventually(() => heldOn(host) === false, { message: 'the host cleans itself' });
  await eventually(async () => (await stateOf(site, name))?.state === Life.CLEANING);
  t.true(heldOn(metal.uid), 'nobody has said that the server is clean');
  t.is((await stateOf(site, name))?.cleanings[0]?.claim, claim.name);
  await site.add();
  const { providerState } = await states.returnProvider({ name, requestId: uuid() });
  t.false(heldOn(metal.uid));
  t.is(claim.status?.state, ClaimState.RELEASED);
  t.like(providerState, { state: Life.AVAILABLE, cleanings: [] });
  const said = await events.listEvents({
    parent: 'partitions/lab/projects/-',
    targetUid: metal.uid,
  });
  t.deepEqual(
    said.events.map(({ type }) => type),
    ['provider.accepted', 'provider.cleaning_needed', 'provider.returned'],
  );
});

test('a cleaning that was said to the scheduler itself waits no longer', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const name = `${METAL}/state`;
  const claim = create(ClaimSchema, {
    name: `${PROJECT}/claims/mine`,
    uid: systemRandom.uid(),
    status: {
      state: ClaimState.RELEASING,
      allocations: [create(AllocationSchema, { providerUid: metal.uid, amount: 1n })],
    },
  });
  site.neighbours.claims.set(claim.name, claim);
  site.neighbours.tellClaim();
  await eventually(async () => (await stateOf(site, name))?.state === Life.CLEANING);
  for (const one of claim.status?.allocations ?? []) one.finishTime = timestampFromMs(1);
  if (claim.status !== undefined) claim.status.state = ClaimState.RELEASED;
  site.neighbours.tellClaim();
  await eventually(async () => (await stateOf(site, name))?.state === Life.ENROLLED);
  t.deepEqual((await stateOf(site, name))?.cleanings, []);
});

test('an old word of a claim does not have a server cleaned that was given back', async (t) => {
  await using site = await startSite();
  const metal = addMetal(site);
  const name = `${METAL}/state`;
  const { providerStates: states } = as(site, 'operator');
  const allocations = [create(AllocationSchema, { providerUid: metal.uid, amount: 1n })];
  const claim = create(ClaimSchema, {
    name: `${PROJECT}/claims/mine`,
    uid: systemRandom.uid(),
    status: { state: ClaimState.RELEASING, allocations },
  });
  const old = clone(ClaimSchema, claim);
  const tell = async (one: typeof claim) => {
    site.neighbours.claims.set(one.name, one);
    const before = site.neighbours.looks();
    site.neighbours.tellClaim();
    // Whoever comes back for more has done with what he was told.
    await eventually(() => site.neighbours.looks() > before);
  };
  await tell(claim);
  await eventually(async () => (await stateOf(site, name))?.state === Life.CLEANING);
  await states.returnProvider({ name, requestId: uuid() });
  t.is(claim.status?.state, ClaimState.RELEASED);
  await tell(claim);
  await tell(old);
  t.deepEqual((await stateOf(site, name))?.cleanings, []);
});

test('tenants neither see nor change the state of providers', async (t) => {
  await using site = await startSite();
  const { providerStates: states } = as(site, 'red');
  const denied = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, states.getProviderState({ name: HOST }), denied);
  const asked = { name: HOST, reason: 'x', requestId: uuid() };
  await refused(t, states.quarantineProvider(asked), denied);
  await refused(
    t,
    as(site, 'operator').providerStates.getProviderState({
      name: 'partitions/lab/providers/nothing/state',
    }),
    { kind: 'not_found', reason: 'NOT_FOUND' },
  );
  const unsaid = as(site, 'operator').providerStates.quarantineProvider({ ...asked, reason: '' });
  await refused(t, unsaid, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
});
