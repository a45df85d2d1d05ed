/**
 * The life of servers without an agent, over all services as they run together: accepted, claimed,
 * closed, released, and handed on only when somebody said that they are clean.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { EventService } from '../../gen/runmachine/machine/v1/event_service_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';

const PARENT = 'partitions/lab/projects/red';
const WHOLE = 'runm.machine.whole';
const NO_CAPACITY = { kind: 'resource_exhausted', reason: 'NO_CAPACITY' } as const;
const newId = systemRandom.requestId;

/** A site with that many servers, all accepted. */
const openSite = async (plane: ControlPlane, servers: number) => {
  const transport = plane.transport(plane.token);
  const states = createClient(ProviderStateService, transport);
  const claims = createClient(ClaimService, transport);
  const providers = createClient(ProviderService, transport);
  const parent = 'partitions/lab';
  await createClient(PartitionService, transport).createPartition({
    partitionId: 'lab',
    partition: {},
    requestId: newId(),
  });
  await createClient(ProjectService, transport).createProject({
    projectId: 'red',
    project: {},
    requestId: newId(),
  });
  const names = Array.from({ length: servers }, (_, at) => `${parent}/providers/metal-${at}`);
  for (const name of names) {
    await providers.createProvider({
      parent,
      providerId: name.split('/').at(-1) ?? '',
      provider: {
        spec: {
          type: ProviderType.BARE_METAL,
          inventories: [
            { resourceType: WHOLE, total: 1n },
            { resourceType: 'runm.memory', total: 1_000_000n },
          ],
        },
      },
      requestId: newId(),
    });
    await states.acceptProvider({ name: `${name}/state`, requestId: newId() });
  }
  const claim = (claimId: string) =>
    claims.createClaim({
      parent: PARENT,
      claimId,
      claim: { spec: { groups: [{ resources: [{ resourceType: WHOLE, amount: 1n }] }] } },
      requestId: newId(),
    });
  const stateOf = async (name: string) =>
    (await states.getProviderState({ name: `${name}/state` })).providerState?.state;
  return { transport, states, claims, providers, names, claim, stateOf };
};

test('a server is handed on after its cleaning was confirmed and not before', async (t) => {
  await using plane = await startControlPlane();
  const site = await openSite(plane, 1);
  const { claims, states, claim, stateOf } = site;
  const [server = ''] = site.names;
  await eventually(() => claim('first'), { message: 'the scheduler knows the server' });
  t.is(await stateOf(server), Life.IN_USE);
  await refused(t, claim('second'), NO_CAPACITY);
  await claims.beginRelease({ name: `${PARENT}/claims/first`, requestId: newId() });
  await eventually(async () => (await stateOf(server)) === Life.CLEANING);
  await refused(t, claim('second'), NO_CAPACITY);
  await states.returnProvider({ name: `${server}/state`, reason: 'wiped', requestId: newId() });
  t.is(await stateOf(server), Life.AVAILABLE);
  await claim('second');
  const { claim: first } = await claims.getClaim({ name: `${PARENT}/claims/first` });
  t.is(first?.status?.state, ClaimState.RELEASED);
  const events = createClient(EventService, site.transport);
  await eventually(async () => {
    const told = await events.listEvents({ parent: PARENT, targetUid: first?.uid ?? '' });
    return told.events.some(({ type }) => type === 'claim.released');
  });
  t.deepEqual(plane.logged(50), []);
});

test('after a quarantine was answered nobody gets anything of the server', async (t) => {
  await using plane = await startControlPlane();
  const site = await openSite(plane, 1);
  const { states, claims } = site;
  const [server = ''] = site.names;
  const take = (claimId: string) =>
    claims.createClaim({
      parent: PARENT,
      claimId,
      claim: { spec: { groups: [{ resources: [{ resourceType: 'runm.memory', amount: 1n }] }] } },
      requestId: newId(),
    });
  await eventually(() => take('warm'), { message: 'the scheduler knows the server' });
  let isAnswered = false;
  let granted = 0;
  const late: string[] = [];
  const claimer = async (at: number) => {
    for (let after = 0; after < 3; ) {
      const isLate = isAnswered;
      const id = `c-${at}-${granted}-${newId().slice(0, 8)}`;
      try {
        await take(id);
        granted += 1;
        if (isLate) late.push(id);
      } catch {
        // Refused as it must be; a few more tries see whether it stays so.
      }
      if (isLate) after += 1;
    }
  };
  const quarantine = async () => {
    await eventually(() => granted > 16, { message: 'claims in the race' });
    await states.quarantineProvider({ name: `${server}/state`, reason: 'x', requestId: newId() });
    isAnswered = true;
  };
  await Promise.all([quarantine(), ...Array.from({ length: 32 }, (_, at) => claimer(at))]);
  t.deepEqual(late, []);
  await refused(t, take('after'), NO_CAPACITY);
});

test('what is closed stays closed when its inventory changes, and opens by a return', async (t) => {
  await using plane = await startControlPlane();
  const site = await openSite(plane, 1);
  const { states, providers, claim, stateOf } = site;
  const [server = ''] = site.names;
  await eventually(async () => (await stateOf(server)) === Life.AVAILABLE);
  await states.maintainProvider({ name: `${server}/state`, reason: 'x', requestId: newId() });
  for (const total of [2_000_000n, 1_000n, 5_000n]) {
    await providers.updateProvider({
      provider: {
        name: server,
        spec: {
          type: ProviderType.BARE_METAL,
          inventories: [
            { resourceType: WHOLE, total: 1n },
            { resourceType: 'runm.memory', total },
          ],
        },
      },
      updateMask: { paths: ['spec.inventories'] },
    });
    await refused(t, claim('never'), NO_CAPACITY);
  }
  t.is(await stateOf(server), Life.MAINTENANCE);
  // Refused as long as the last change of inventory has not got about.
  const back = { name: `${server}/state`, requestId: newId() };
  await eventually(() => states.returnProvider(back), { message: 'it is returned' });
  await claim('at-last');
  t.is(await stateOf(server), Life.IN_USE);
});

test('the owner of a claim is warned of its end, told of it, and of its return', async (t) => {
  await using plane = await startControlPlane();
  const site = await openSite(plane, 1);
  const { claims, states, stateOf } = site;
  const [server = ''] = site.names;
  await eventually(async () => (await stateOf(server)) === Life.AVAILABLE);
  const take = () =>
    claims.createClaim({
      parent: PARENT,
      claimId: 'short',
      claim: {
        spec: {
          releaseTime: timestampFromMs(systemClock.now().getTime() + 20_000),
          groups: [{ resources: [{ resourceType: WHOLE, amount: 1n }] }],
        },
      },
      requestId: newId(),
    });
  const { claim: made } = await eventually(take, { message: 'the scheduler knows the server' });
  const events = createClient(EventService, site.transport);
  const told = async () => {
    const all = await events.listEvents({ parent: PARENT, targetUid: made?.uid ?? '' });
    return all.events.map(({ type }) => type);
  };
  const patience = { limitMs: 120_000 };
  await eventually(async () => (await told()).includes('claim.ending'), patience);
  await eventually(async () => (await stateOf(server)) === Life.CLEANING, patience);
  await states.returnProvider({ name: `${server}/state`, requestId: newId() });
  await eventually(async () => (await told()).includes('claim.released'), patience);
  t.deepEqual(await told(), ['claim.ending', 'claim.expired', 'claim.released']);
});
