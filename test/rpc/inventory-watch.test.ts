import { createClient } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  type WatchProvidersResponse,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  type InventoryFixture,
  makePartition,
  makeProvider,
  newId,
  startInventory,
  vmHost,
} from './inventory-fixture.ts';

type Told = { readonly what: string; readonly name: string };

/** Reads a watch until `enough` says so; gives what was told and the last token. */
const readUntil = async (
  watch: AsyncIterable<WatchProvidersResponse>,
  enough: (told: readonly Told[]) => boolean,
): Promise<{ readonly told: Told[]; readonly token: string }> => {
  const told: Told[] = [];
  for await (const { events, resumeToken } of watch) {
    for (const { event } of events) {
      if (event.case === undefined || event.case === 'bookmark') continue;
      told.push({ what: event.case, name: event.case === 'synced' ? '' : event.value.name });
    }
    if (enough(told)) return { told, token: resumeToken };
  }
  throw new Error('The watch ended early');
};

const hears = (what: string) => (told: readonly Told[]) => told.some((one) => one.what === what);

type Wanted = { readonly parent: string; readonly resumeToken?: string; readonly by?: string };

/** Watches that end with the test. */
const watching = (t: ExecutionContext, fixture: InventoryFixture) => {
  const ended = new AbortController();
  t.teardown(() => ended.abort());
  return ({ by = 'admin', ...request }: Wanted) => {
    const providers = createClient(ProviderService, fixture.asPerson(by));
    const stream = providers.watchProviders(request, { signal: ended.signal });
    const events = stream[Symbol.asyncIterator]();
    // May be read in several goes.
    return { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) };
  };
};

const start = async (t: ExecutionContext) => {
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  await makePartition(fixture, 'other');
  const elsewhere = (providerId: string) =>
    createClient(ProviderService, fixture.admin).createProvider({
      parent: 'partitions/other',
      providerId,
      provider: vmHost(),
      requestId: newId(),
    });
  const providers = createClient(ProviderService, fixture.admin);
  return { fixture, providers, elsewhere, watch: watching(t, fixture) };
};

test('a watch gives the present set, then synced, then each change', async (t) => {
  const { fixture, providers, watch } = await start(t);
  const made = await makeProvider(fixture, 'a');
  const stream = watch({ parent: 'partitions/lab' });
  const present = await readUntil(stream, hears('synced'));
  t.deepEqual(present.told, [
    { what: 'created', name: made.name },
    { what: 'synced', name: '' },
  ]);
  await makeProvider(fixture, 'b');
  t.is((await readUntil(stream, hears('created'))).told.at(-1)?.name, 'partitions/lab/providers/b');
  await providers.updateProvider({
    provider: { name: made.name, spec: { type: ProviderType.VM_HOST }, tags: ['x'] },
    updateMask: { paths: ['tags'] },
  });
  t.is((await readUntil(stream, hears('updated'))).told.at(-1)?.name, made.name);
  await providers.deleteProvider({ name: made.name });
  t.is((await readUntil(stream, hears('deleted'))).told.at(-1)?.name, made.name);
});

test('a watch goes on from its token and misses nothing', async (t) => {
  const { fixture, providers, watch } = await start(t);
  const kept = await makeProvider(fixture, 'kept');
  const gone = await makeProvider(fixture, 'gone');
  const { token } = await readUntil(watch({ parent: 'partitions/lab' }), hears('synced'));
  await providers.deleteProvider({ name: gone.name });
  await providers.updateProvider({
    provider: { name: kept.name, spec: { type: ProviderType.VM_HOST }, tags: ['x'] },
    updateMask: { paths: ['tags'] },
  });
  const resumed = await readUntil(
    watch({ parent: 'partitions/lab', resumeToken: token }),
    (told) => hears('deleted')(told) && hears('updated')(told),
  );
  t.false(hears('created')(resumed.told));
  t.false(hears('synced')(resumed.told));
  const foreign = watch({ parent: 'partitions/lab', resumeToken: 'nonsense' });
  await refused(
    t,
    readUntil(foreign, () => true),
    {
      kind: 'out_of_range',
      reason: 'RESUME_TOKEN_EXPIRED',
    },
  );
});

test('a watch of one partition hears of no other', async (t) => {
  const { fixture, elsewhere, watch } = await start(t);
  const stream = watch({ parent: 'partitions/LAB' });
  await readUntil(stream, hears('synced'));
  await elsewhere('b');
  await makeProvider(fixture, 'a');
  const { told } = await readUntil(stream, hears('created'));
  t.deepEqual(told, [{ what: 'created', name: 'partitions/lab/providers/a' }]);
});

test('a watch over all partitions shows what the caller sees, also when it goes on', async (t) => {
  const { fixture, providers, elsewhere, watch } = await start(t);
  const { provider: theirs } = await elsewhere('theirs');
  const mine = await makeProvider(fixture, 'mine');
  const first = await readUntil(
    watch({ parent: 'partitions/-', by: 'lab-operator' }),
    hears('synced'),
  );
  t.deepEqual(
    first.told.map(({ name }) => name),
    [mine.name, ''],
  );
  await providers.deleteProvider({ name: theirs?.name ?? '' });
  await providers.deleteProvider({ name: mine.name });
  const resumeToken = first.token;
  const resumed = await readUntil(
    watch({ parent: 'partitions/-', resumeToken, by: 'lab-operator' }),
    hears('deleted'),
  );
  t.is(resumed.told.length, 1);
});

test('a watch of a partition that is not there or not seen is refused', async (t) => {
  const { watch } = await start(t);
  const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  const never = () => true;
  await refused(t, readUntil(watch({ parent: 'partitions/nowhere' }), never), foreign);
  const other = watch({ parent: 'partitions/other', by: 'lab-operator' });
  await refused(t, readUntil(other, never), foreign);
});
