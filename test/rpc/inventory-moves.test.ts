/** Providers that change their tree beside the real scheduler: no claim loses what it was given. */
import test from 'ava';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { CPU, type Hall, type Host, newId, setClosed, startHall } from './inventory-claimers.ts';

const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
const LAB = 'partitions/lab';
const WHOLE = 'runm.machine.whole';

const addProvider = async (
  hall: Hall,
  providerId: string,
  resourceType: string,
  parent?: Host,
): Promise<Host> => {
  const { provider } = await hall.providers.createProvider({
    parent: LAB,
    providerId,
    provider: {
      spec: {
        type: parent ? ProviderType.DEVICE : ProviderType.BARE_METAL,
        parentProvider: parent?.name ?? '',
        inventories: [{ resourceType, total: 1n }],
      },
    },
    requestId: newId(),
  });
  if (provider === undefined) throw new Error('No provider in the answer');
  await setClosed(hall, provider, false);
  return provider;
};

/** Claims one of the type in the tree of that provider, once the scheduler has heard of it. */
const claimIn = async (hall: Hall, { uid }: Host, resourceType: string) => {
  const resources = [{ resourceType, amount: 1n }];
  const { claim } = await eventually(() =>
    hall.claims.createClaim({
      parent: `${LAB}/projects/red`,
      claimId: `c-${newId().slice(0, 8)}`,
      claim: { spec: { groups: [{ resources, inTree: uid }] } },
      requestId: newId(),
    }),
  );
  if (claim === undefined) throw new Error('No claim in the answer');
  return claim;
};

const giveBack = async (hall: Hall, name: string, { uid }: Host): Promise<void> => {
  await hall.claims.beginRelease({ name, requestId: newId() });
  await hall.asMachine.finishRelease({ name, providerUid: uid, requestId: newId() });
};

const move = (hall: Hall, { name }: Host, parent?: Host) =>
  hall.providers.updateProvider({
    provider: { name, spec: { parentProvider: parent?.name ?? '' } },
    updateMask: { paths: ['spec.parent_provider'] },
    requestId: newId(),
  });

const startTrees = async (t: Parameters<typeof startHall>[0]) => {
  const hall = await startHall(t);
  const server = await addProvider(hall, 'server', WHOLE);
  const other = await addProvider(hall, 'other', WHOLE);
  const part = await addProvider(hall, 'part', CPU, server);
  return { hall, server, other, part };
};

test('a part stays while a claim holds it, and goes when it is given back', async (t) => {
  const { hall, other, part } = await startTrees(t);
  const claim = await claimIn(hall, part, CPU);
  const error = await refused(t, move(hall, part, other), inUse);
  t.is(error.metadata.name, part.name);
  t.is(error.metadata.used, '1');
  t.is(error.metadata.claims, claim.name);
  await giveBack(hall, claim.name, part);
  const { provider } = await move(hall, part, other);
  t.is(provider?.status?.rootUid, other.uid);
  const again = await claimIn(hall, other, CPU);
  t.deepEqual(
    again.status?.allocations.map(({ providerUid }) => providerUid),
    [part.uid],
  );
});

test('a part does not leave a server that is held whole', async (t) => {
  const { hall, server, other, part } = await startTrees(t);
  const claim = await claimIn(hall, server, WHOLE);
  const error = await refused(t, move(hall, part, other), inUse);
  t.is(error.metadata.name, server.name);
  t.is(error.metadata.claims, claim.name);
  const { provider } = await hall.providers.getProvider({ name: part.name });
  t.is(provider?.status?.rootUid, server.uid);
  await giveBack(hall, claim.name, server);
  t.is((await move(hall, part, other)).provider?.status?.rootUid, other.uid);
  await t.notThrowsAsync(claimIn(hall, server, WHOLE), 'it is offered whole again');
});

test('what is moved below a server that is held whole is not given to anybody', async (t) => {
  const { hall, other, part } = await startTrees(t);
  await claimIn(hall, other, WHOLE);
  await move(hall, part, other);
  const { provider } = await hall.providers.getProvider({ name: part.name });
  const resources = [{ resourceType: CPU, amount: 1n }];
  const ask = () =>
    hall.claims.createClaim({
      parent: `${LAB}/projects/red`,
      claimId: 'late',
      claim: { spec: { groups: [{ resources }] } },
      requestId: newId(),
    });
  // From the move on, and once the scheduler has heard of it: first nothing is offered, then it is
  // part of what is held.
  for (let at = 0; at < 20; at += 1) {
    await refused(t, ask(), { kind: 'resource_exhausted', reason: 'NO_CAPACITY' });
  }
  const usage = await eventually(async () => {
    const { usages } = await hall.capacity.listUsage({ parent: LAB, providerUid: part.uid });
    return usages[0]?.resources.find(({ resourceType }) => resourceType === CPU);
  });
  t.is(usage.usable, 1n);
  t.is(provider?.generation, 2n);
  await refused(t, ask(), { kind: 'resource_exhausted', reason: 'NO_CAPACITY' });
});
