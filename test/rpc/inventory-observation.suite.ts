/** What our services see of providers, on whichever database. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  ProviderService,
  UpsertOutcome,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { item, mac, outcomes, reasonOf, server, startImport } from './inventory-import.suite.ts';
import type { InventorySubject } from './inventory-places.suite.ts';

const { UNCHANGED } = UpsertOutcome;
const LAB = 'partitions/lab';
const PIN = 'ab'.repeat(32);

export const inventoryObservationSuite = (subject: InventorySubject): void => {
  const { test } = subject;

  test('what is seen is written beside what is declared, and grows no generation', async (t) => {
    const { upsert, get, services, fixture } = await startImport(t, subject);
    await upsert([item('r1', server(1))]);
    const name = `${LAB}/providers/r1`;
    const observed = (atMs: number, more: object = {}) =>
      services.recordProviderFacts({
        name,
        observeTime: timestampFromMs(atMs),
        facts: { serialNumber: 'SN1', vendor: 'Acme', cpuThreads: 8 },
        ...more,
      });
    const first = await observed(2_000, { certificateSha256: PIN });
    t.deepEqual(first.conflicts, []);
    const seen = await get('r1');
    t.is(seen?.status?.observedFacts?.vendor, 'Acme');
    t.is(seen?.spec?.bmc?.certificateSha256, PIN);
    t.is(seen?.generation, 1n);
    await observed(3_000, { certificateSha256: 'cd'.repeat(32) });
    t.is((await get('r1'))?.spec?.bmc?.certificateSha256, PIN);
    await observed(1_000, { facts: { vendor: 'Older' } });
    t.is((await get('r1'))?.status?.observedFacts?.vendor, 'Acme');
    const problem = { reason: 'BMC_UNREACHABLE', message: 'No answer' };
    await services.recordProviderFacts({ name, observeTime: timestampFromMs(4_000), problem });
    const wrong = await get('r1');
    t.is(wrong?.status?.problem?.reason, 'BMC_UNREACHABLE');
    t.truthy(wrong?.status?.problem?.since);
    t.is(wrong?.status?.observedFacts?.vendor, 'Acme');
    t.is(wrong?.generation, 1n);
    t.deepEqual(outcomes(await upsert([item('r1', server(1))])), [UNCHANGED]);
    const reader = createClient(ProviderService, fixture.asPerson('lab-reader'));
    const shown = (await reader.getProvider({ name })).provider;
    t.is(shown?.status?.observedFacts, undefined);
    t.is(shown?.status?.problem, undefined);
    t.is(shown?.spec?.bmc, undefined);
    const person = createClient(ProviderService, fixture.admin);
    await refused(t, person.recordProviderFacts({ name, observeTime: timestampFromMs(5_000) }), {
      kind: 'permission_denied',
      reason: 'NOT_ALLOWED',
    });
  });

  test('what two providers show is kept out of the second and told, until one is put right', async (t) => {
    const { upsert, get, services, providers } = await startImport(t, subject);
    await upsert([item('r1', server(1)), item('r2', server(2))]);
    const observe = (id: string, atMs: number) =>
      services.recordProviderFacts({
        name: `${LAB}/providers/${id}`,
        observeTime: timestampFromMs(atMs),
        facts: {
          serialNumber: 'SN1',
          smbiosUuid: '03000200-0400-0500-0006-000700080009',
          vendor: 'Acme',
          nics: [
            { label: 'eth0', mac: mac(2), type: NicType.PHYSICAL },
            { label: 'eth9', mac: mac(99), type: NicType.PHYSICAL },
          ],
        },
      });
    t.deepEqual((await observe('r1', 1_000)).conflicts, []);
    const { conflicts } = await observe('r2', 1_000);
    t.deepEqual(
      conflicts.map(({ field, provider }) => [field, provider]),
      [
        ['nics[eth0].mac', `${LAB}/providers/r1`],
        ['nics[eth9].mac', `${LAB}/providers/r1`],
        ['serial_number', `${LAB}/providers/r1`],
      ],
    );
    const second = await get('r2');
    t.is(second?.status?.problem?.reason, 'CONFLICT');
    t.regex(second?.status?.problem?.message ?? '', /providers\/r1/);
    t.is(second?.status?.observedFacts?.serialNumber, '');
    t.deepEqual(
      second?.status?.observedFacts?.nics.map((nic) => nic.mac),
      ['', ''],
    );
    t.is(second?.status?.observedFacts?.vendor, 'Acme');
    // The placeholder is no identifier.
    t.regex(second?.status?.observedFacts?.smbiosUuid ?? '', /^03000200/);
    const declared = await upsert([item('r3', server(3, { facts: { serialNumber: 'sn1' } }))]);
    t.is(reasonOf(declared[0]?.error), 'ALREADY_EXISTS');
    await providers.deleteProvider({ name: `${LAB}/providers/r1` });
    t.deepEqual((await observe('r2', 2_000)).conflicts, []);
    t.is((await get('r2'))?.status?.problem, undefined);
    t.is((await get('r2'))?.status?.observedFacts?.serialNumber, 'SN1');
  });
};
