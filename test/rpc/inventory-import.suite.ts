/** Batches of providers, on whichever database. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import type { Status } from '../../gen/google/rpc/status_pb.ts';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type ProviderSpecSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type BatchUpsertProvidersRequestSchema,
  ProviderService,
  type ProviderUpsertResult,
  UpsertOutcome,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { fewAtOnce } from '../support/few-at-once.ts';
import { refused } from '../support/rpc-errors.ts';
import { makeGroup, newId, type ProviderInit } from './inventory-fixture.ts';
import { type InventorySubject, startLab } from './inventory-places.suite.ts';

/** A message as one writes it, not as it was made. */
type Plain<Init> = Exclude<Init, { readonly $typeName: string }>;

const { CREATED, UPDATED, UNCHANGED, FAILED } = UpsertOutcome;
const LAB = 'partitions/lab';
const TAKEN = 'ALREADY_EXISTS';

export const mac = (n: number): string => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`;

type SpecInit = Plain<MessageInitShape<typeof ProviderSpecSchema>>;

export const server = (n: number, more: SpecInit = {}): ProviderInit => ({
  tags: ['b', 'a'],
  properties: {
    zone: { kind: { case: 'stringValue', value: '4' } },
    cooling: { kind: { case: 'stringValue', value: 'water' } },
  },
  spec: {
    type: ProviderType.BARE_METAL,
    inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
    nics: [
      { label: 'eth0', mac: mac(2 * n), primary: true },
      { label: 'eth1', mac: mac(2 * n + 1) },
    ],
    bmc: { type: BmcType.REDFISH, address: `10.0.0.${n}`, secret: 'projects/ops/secrets/bmc' },
    facts: { serialNumber: `SN${n}`, smbiosUuid: `00000000-0000-4000-8000-00000000000${n}` },
    ...more,
  },
});

type Batch = Plain<MessageInitShape<typeof BatchUpsertProvidersRequestSchema>>;
type Items = NonNullable<Batch['items']>;
type More = Pick<Batch, 'validateOnly' | 'requestId' | 'updateMask' | 'assumption'>;

/** Each has a writer of its own that waits ten seconds for its turn, beside batches of hundreds. */
const turn = fewAtOnce(4);

export const startImport = async (...args: Parameters<typeof startLab>) => {
  await turn(args[0]);
  const lab = await startLab(...args);
  const upsert = async (items: Items, more: More = {}) =>
    (
      await lab.providers.batchUpsertProviders({
        parent: LAB,
        items,
        requestId: newId(),
        ...more,
      })
    ).results;
  const get = async (id: string) =>
    (await lab.providers.getProvider({ name: `${LAB}/providers/${id}` })).provider;
  const services = createClient(ProviderService, lab.fixture.asService('machine'));
  return { ...lab, upsert, get, services };
};

export const item = (providerId: string, provider: ProviderInit) => ({ providerId, provider });
export const outcomes = (results: readonly ProviderUpsertResult[]) =>
  results.map((one) => one.outcome);
export const reasonOf = (status: Status | undefined): string => {
  const info = status?.details.map((any) => anyUnpack(any, ErrorInfoSchema)).find(Boolean);
  return info?.reason ?? '';
};
const changed = ({ changes }: ProviderUpsertResult) =>
  changes.map(({ path, before, after }) => `${path}: ${before} -> ${after}`);

export const inventoryImportSuite = (subject: InventorySubject): void => {
  const { test } = subject;

  test('a batch creates what is missing, changes what differs and leaves the rest alone', async (t) => {
    const { upsert, get } = await startImport(t, subject);
    const request = [item('r1', server(1)), item('r2', server(2))];
    t.deepEqual(outcomes(await upsert(request)), [CREATED, CREATED]);
    const before = await get('r1');
    t.is(before?.generation, 1n);
    t.deepEqual(outcomes(await upsert(request)), [UNCHANGED, UNCHANGED]);
    const after = await get('r1');
    t.is(after?.etag, before?.etag);
    const other = server(1, { bmc: { type: BmcType.REDFISH, address: '10.0.9.9' } });
    const [first, second, third] = await upsert([
      item('R1', other),
      item('r2', server(2)),
      item('r3', server(3)),
    ]);
    t.deepEqual([first?.outcome, second?.outcome, third?.outcome], [UPDATED, UNCHANGED, CREATED]);
    t.is(first?.name, `${LAB}/providers/r1`);
    t.deepEqual(first && changed(first), [
      'spec.bmc.address: 10.0.0.1 -> 10.0.9.9',
      'spec.bmc.secret: projects/ops/secrets/bmc -> ',
    ]);
    t.is((await get('r1'))?.generation, 2n);
  });

  test('a batch with the same request id is done once', async (t) => {
    const { upsert, providers } = await startImport(t, subject);
    const requestId = newId();
    const first = await upsert([item('r1', server(1))], { requestId });
    await providers.deleteProvider({ name: `${LAB}/providers/r1` });
    t.deepEqual(await upsert([item('r1', server(1))], { requestId }), first);
    t.deepEqual((await providers.listProviders({ parent: LAB })).providers, []);
  });

  test('one bad item spoils no other, and each says why', async (t) => {
    const { upsert, providers } = await startImport(t, subject);
    await upsert([item('there', server(9))]);
    const results = await upsert([
      item('r1', server(1)),
      item('-bad-', server(2)),
      item('no-type', { spec: {} }),
      item('group', server(3, { groups: ['nowhere'] })),
      item('R1', server(4)),
      item('mac', server(5, { nics: [{ label: 'eth0', mac: mac(18) }] })),
      item('serial', server(6, { facts: { serialNumber: 'sn9' } })),
      item('uuid', server(7, { facts: { smbiosUuid: '00000000000040008000000000000001' } })),
      item('there', { spec: { type: ProviderType.VM_HOST } }),
      item('parent', server(8, { parentProvider: `${LAB}/providers/none` })),
      item('kind', {
        spec: { type: ProviderType.BARE_METAL },
        properties: { cooling: { kind: { case: 'integerValue', value: 1n } } },
      }),
      item('r2', server(11)),
    ]);
    t.deepEqual(outcomes(results), [CREATED, ...Array.from({ length: 10 }, () => FAILED), CREATED]);
    t.deepEqual(
      results.map(({ error }) => reasonOf(error)),
      [
        '',
        'INVALID_FIELD',
        'INVALID_FIELD',
        'UNKNOWN_GROUP',
        'INVALID_FIELD',
        'ALREADY_EXISTS',
        'ALREADY_EXISTS',
        'ALREADY_EXISTS',
        'INVALID_FIELD',
        'INVALID_FIELD',
        'INVALID_FIELD',
        '',
      ],
    );
    t.regex(results[5]?.error?.message ?? '', /providers\/mac: .*providers\/there has the MAC/);
    t.regex(results[6]?.error?.message ?? '', /serial number sn9/);
    t.regex(results[7]?.error?.message ?? '', /providers\/r1 has the SMBIOS UUID/);
    const { providers: all } = await providers.listProviders({ parent: LAB });
    t.deepEqual(
      all.map(({ name }) => name.split('/').at(-1)),
      ['r1', 'r2', 'there'],
    );
  });

  test('a dry run says what would become of each item and writes nothing', async (t) => {
    const { upsert, providers } = await startImport(t, subject);
    await upsert([item('r1', server(1))]);
    const shrunk = server(1, { inventories: [] });
    const results = await upsert(
      [item('r1', shrunk), item('r2', server(2, { groups: ['new'], location: { rack: 'new' } }))],
      { validateOnly: true, assumption: { groups: ['new'] } },
    );
    t.deepEqual(outcomes(results), [UPDATED, CREATED]);
    t.deepEqual(results[0] && changed(results[0]), [
      'spec.inventories[runm.machine.whole].resource_type: runm.machine.whole -> ',
      'spec.inventories[runm.machine.whole].total: 1 -> ',
    ]);
    const { providers: all } = await providers.listProviders({ parent: LAB });
    t.is(all.length, 1);
    t.is(all[0]?.spec?.inventories.length, 1);
  });

  test('what takes capacity away is decided by the scheduler, item by item', async (t) => {
    const { upsert, get, fixture } = await startImport(t, subject);
    await upsert([item('r1', server(1)), item('r2', server(2)), item('r3', server(3))]);
    const held = await get('r2');
    fixture.leader.used.set('runm.machine.whole', 1n);
    fixture.leader.claims.set(held?.uid ?? '', ['partitions/lab/projects/red/claims/c']);
    const none = (n: number) => server(n, { inventories: [] });
    const results = await upsert([
      item('r1', none(1)),
      item('r2', none(2)),
      item('r3', server(3)),
      item('r4', server(4)),
    ]);
    t.deepEqual(outcomes(results), [UPDATED, FAILED, UNCHANGED, CREATED]);
    t.is(reasonOf(results[1]?.error), 'IN_USE');
    t.is((await get('r1'))?.spec?.inventories.length, 0);
    t.is((await get('r2'))?.spec?.inventories.length, 1);
    t.deepEqual(
      fixture.leader.reshapes.map(({ providers: [one] }) => one?.providerUid).includes(held?.uid),
      true,
    );
  });

  test('a mask leaves alone what the items do not say', async (t) => {
    const { upsert, get } = await startImport(t, subject);
    await upsert([item('r1', server(1))]);
    const results = await upsert(
      [item('r1', { tags: ['new'], spec: { type: ProviderType.BARE_METAL } })],
      { updateMask: { paths: ['tags'] } },
    );
    t.deepEqual(results[0] && changed(results[0]), ['tags: a, b -> new']);
    const after = await get('r1');
    t.is(after?.spec?.nics.length, 2);
    t.is(after?.generation, 1n);
  });

  test('parts stand beside what they are parts of, in any order', async (t) => {
    const { upsert, get } = await startImport(t, subject);
    const part = (parent: string): ProviderInit => ({
      spec: { type: ProviderType.DEVICE, parentProvider: `${LAB}/providers/${parent}` },
    });
    const results = await upsert([
      item('gpu', part('board')),
      item('board', part('Box')),
      item('box', server(1)),
      item('a', part('b')),
      item('b', part('a')),
      item('orphan', part('none')),
    ]);
    t.deepEqual(outcomes(results), [CREATED, CREATED, CREATED, FAILED, FAILED, FAILED]);
    const [gpu, board, box] = [await get('gpu'), await get('board'), await get('box')];
    t.is(gpu?.status?.rootUid, box?.uid);
    t.is(gpu?.status?.parentUid, board?.uid);
    t.is(gpu?.spec?.parentProvider, `${LAB}/providers/board`);
    const moved = await upsert([item('gpu', part('box'))]);
    t.deepEqual(outcomes(moved), [UPDATED]);
    t.is((await get('gpu'))?.status?.parentUid, box?.uid);
  });

  test('identifiers may change hands within a batch', async (t) => {
    const { upsert, get } = await startImport(t, subject);
    await upsert([item('r1', server(1)), item('r2', server(2))]);
    const nics = (n: number) => ({ nics: [{ label: 'eth0', mac: mac(n) }] });
    const results = await upsert([item('r1', server(1, nics(4))), item('r2', server(2, nics(2)))]);
    t.deepEqual(outcomes(results), [UPDATED, UPDATED]);
    t.is((await get('r1'))?.spec?.nics[0]?.mac, mac(4));
    const taken = await upsert([item('r3', server(3, nics(2)))]);
    t.regex(taken[0]?.error?.message ?? '', /providers\/r2 has the MAC address/);
  });

  test('a controller is one provider’s, and nodes of a chassis each name their system', async (t) => {
    const { upsert, get, providers } = await startImport(t, subject);
    const at = (address: string): ProviderInit => ({
      spec: { type: ProviderType.BARE_METAL, bmc: { type: BmcType.REDFISH, address } },
    });
    const node = (n: number) => at(`https://10.0.0.2/redfish/v1/Systems/${n}`);
    const items = [
      item('r1', at('https://10.0.0.1')),
      item('twin', at('10.0.0.1:623')),
      ...[item('n1', node(1)), item('n2', node(2)), item('n3', node(2))],
      item('chassis', at('10.0.0.3')),
      item('inside', at('10.0.0.3/redfish/v1/Systems/1')),
    ];
    for (const validateOnly of [true, false]) {
      const results = await upsert(items, { validateOnly });
      t.deepEqual(outcomes(results), [CREATED, FAILED, CREATED, CREATED, FAILED, CREATED, FAILED]);
      t.deepEqual(
        [1, 4, 6].map((n) => reasonOf(results[n]?.error)),
        Array(3).fill(TAKEN),
      );
      t.regex(results[1]?.error?.message ?? '', /r1 has the .* controller at 10\.0\.0\.1:623 /);
      t.regex(results[6]?.error?.message ?? '', /providers\/chassis has .* name their own system/);
    }
    const { BARE_METAL: type } = ProviderType;
    const taken = { kind: 'already_exists', reason: TAKEN } as const;
    const made = providers.createProvider({
      ...{ parent: LAB, providerId: 'whole', requestId: newId() },
      provider: { spec: { type, bmc: { type: BmcType.IPMI, address: '10.0.0.2' } } },
    });
    const { metadata } = await refused(t, made, taken);
    t.is(metadata.field, 'spec.bmc.address');
    t.regex(metadata.holder ?? '', /n[12]$/);
    const name = `${LAB}/providers/chassis`;
    const update = providers.updateProvider({
      provider: { name, spec: { bmc: { ipmiAddress: '10.0.0.1' } } },
      updateMask: { paths: ['spec.bmc.ipmi_address'] },
      requestId: newId(),
    });
    t.like((await refused(t, update, taken)).metadata, {
      field: 'spec.bmc.ipmi_address',
      holder: `${LAB}/providers/r1`,
    });
    const swapped = [item('r1', at('10.0.0.3')), item('chassis', at('10.0.0.1'))];
    t.deepEqual(outcomes(await upsert(swapped)), [UPDATED, UPDATED], 'within a batch it may go on');
    t.is((await get('r1'))?.spec?.bmc?.address, '10.0.0.3');
  });

  test('what a refused item would have had is free for the others of its batch', async (t) => {
    const { upsert, get } = await startImport(t, subject);
    await upsert([item('there', server(9))]);
    const nics = (...macs: number[]) => ({
      nics: macs.map((n, index) => ({ label: `eth${index}`, mac: mac(n) })),
    });
    const results = await upsert([
      item('refused', { spec: { type: ProviderType.BARE_METAL, ...nics(18, 50) } }),
      item('fine', { spec: { type: ProviderType.BARE_METAL, ...nics(50) } }),
      item('late', { spec: { type: ProviderType.BARE_METAL, ...nics(50) } }),
    ]);
    t.deepEqual(outcomes(results), [FAILED, CREATED, FAILED]);
    t.regex(results[0]?.error?.message ?? '', /providers\/there has/);
    t.regex(results[2]?.error?.message ?? '', /providers\/fine has/);
    t.is((await get('fine'))?.spec?.nics[0]?.mac, mac(50));
  });

  test('of two batches that make the same provider at once one creates it', async (t) => {
    const { upsert } = await startImport(t, subject);
    const batches = await Promise.all(
      Array.from({ length: 4 }, () =>
        upsert([item('r1', server(1)), item('r2', server(2)), item('r3', server(3))]),
      ),
    );
    const all = batches.flatMap(outcomes);
    t.is(all.filter((one) => one === CREATED).length, 3);
    t.is(all.filter((one) => one === UNCHANGED).length, 9);
  });

  test('a provider stands in a rack that is one of its groups', async (t) => {
    const { upsert, get, fixture, groups } = await startImport(t, subject);
    await makeGroup(fixture, 'Rack-1');
    await makeGroup(fixture, 'row', { kind: GroupKind.ROW });
    const at = (rack: string, in_: string[]) => server(1, { groups: in_, location: { rack } });
    const results = [
      ...(await upsert([item('r1', at('rack-1', []))])),
      ...(await upsert([item('r1', at('row', ['row']))])),
      ...(await upsert([item('r1', at('rack-1', ['rack-1']))])),
    ];
    t.deepEqual(outcomes(results), [FAILED, FAILED, CREATED]);
    t.is((await get('r1'))?.spec?.location?.rack, 'Rack-1');
    await groups.changeMembers({
      name: `${LAB}/groups/rack-1`,
      remove: ['r1'],
      requestId: newId(),
    });
    t.is((await get('r1'))?.spec?.location?.rack, '');
  });

  test('only operators import, and a stranger does not learn of the partition', async (t) => {
    const { fixture } = await startImport(t, subject);
    const ask = (who: string) =>
      createClient(ProviderService, fixture.asPerson(who)).batchUpsertProviders({
        parent: LAB,
        // Without a secret, which an operator of one partition may not see.
        items: [item('r1', server(1, { bmc: { type: BmcType.NONE } }))],
        requestId: newId(),
      });
    const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;
    for (const who of ['lab-reader', 'reader', 'lab-red-member'])
      await refused(t, ask(who), denied);
    await refused(t, ask('red-member'), { kind: 'not_found', reason: 'NOT_FOUND' });
    t.deepEqual(outcomes((await ask('lab-operator')).results), [CREATED]);
  });

  test('a batch of 500 goes through, and one more is refused', async (t) => {
    const { upsert, providers } = await startImport(t, subject);
    const many = Array.from({ length: 500 }, (_, n) =>
      item(`n${n}`, {
        spec: {
          type: ProviderType.BARE_METAL,
          facts: { serialNumber: `serial-${n}` },
          nics: [
            {
              label: 'eth0',
              mac: `02:00:00:00:${Math.floor(n / 256) ? '01' : '00'}:${(n % 256).toString(16).padStart(2, '0')}`,
            },
          ],
        },
      }),
    );
    t.true((await upsert(many)).every(({ outcome }) => outcome === CREATED));
    const page = await providers.listProviders({ parent: LAB, pageSize: 1000 });
    t.is(page.providers.length, 500);
    await refused(t, upsert([...many, item('more', server(1))]), {
      kind: 'invalid_argument',
      reason: 'INVALID_FIELD',
    });
  });
};
