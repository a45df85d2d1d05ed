import { fromJson } from '@bufbuild/protobuf';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import type { LabStatus } from '../../../deploy/lab/control-protocol.ts';
import { fleetFile } from '../../../deploy/lab/fleet-file.ts';
import { labHardware } from '../../../deploy/lab/lab-hardware.ts';
import { rackRecords } from '../../../deploy/lab/rack-records.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';

const statusOf = (ipmiPort: number): LabStatus => ({
  ...{ site: 'lab-site', rack: 'r1', powerFeeds: ['a', 'b'], machines: 'qemu', why: 'qemu' },
  servers: (['redfish', 'ipmi'] as const).map((bmc, index) => {
    const { name, nics, bmcMac } = labHardware(`r1u${index + 1}`);
    return {
      ...{ name, nics, bmcMac, bmc, unit: index + 1, powerFeeds: ['a'], power: 'off' as const },
      ...{ fault: 'none' as const, credentialsFile: '/state/credentials.json' },
      redfish: `https://127.77.1.${index + 1}:443`,
      ipmi: `127.77.1.${index + 1}:${ipmiPort}`,
    };
  }),
});

const options = {
  partition: 'partitions/lab',
  agents: ['partitions/lab/agents/host'],
  secretOf: (server: string) => `projects/operations/secrets/bmc-${server}`,
};

test('a rack becomes groups, each after the one in which it lies, and providers', (t) => {
  const { groups, providers } = rackRecords(statusOf(623), options);
  t.deepEqual(
    groups.map(({ name, spec }) => [name, spec?.parentGroup]),
    [
      ['partitions/lab/groups/lab-site', ''],
      ['partitions/lab/groups/r1', 'lab-site'],
      ['partitions/lab/groups/a', 'lab-site'],
      ['partitions/lab/groups/b', 'lab-site'],
    ],
  );
  const [first, second] = providers;
  t.deepEqual(first?.spec?.groups, ['r1', 'a']);
  t.like(first?.spec?.bmc, {
    type: BmcType.REDFISH,
    address: 'https://127.77.1.1:443',
    secret: 'projects/operations/secrets/bmc-r1u1',
  });
  t.like(second?.spec?.bmc, { type: BmcType.IPMI, address: '127.77.1.2:623' });
  t.deepEqual(
    first?.spec?.nics.map(({ label, primary }) => [label, primary]),
    [
      ['NIC 1', true],
      ['NIC 2', false],
      ['BMC', false],
    ],
  );
});

test('beside Redfish it is said where IPMI listens, whatever its port', (t) => {
  const { providers } = rackRecords(statusOf(6230), options);
  t.deepEqual(
    providers.map(({ spec }) => [spec?.bmc?.type, spec?.bmc?.address, spec?.bmc?.ipmiAddress]),
    [
      [BmcType.REDFISH, 'https://127.77.1.1:443', '127.77.1.1:6230'],
      [BmcType.IPMI, '127.77.1.2:6230', ''],
    ],
  );
});

test('the file of a rack holds its records and no password', (t) => {
  const records = rackRecords(statusOf(623), options);
  const documents = [...parseAllDocuments(fleetFile(records))].map((one) => one.toJS());
  t.deepEqual(
    documents.map(({ kind }) => kind),
    ['Group', 'Group', 'Group', 'Group', 'Provider', 'Provider'],
  );
  const { kind: _, ...last } = documents.at(-1);
  t.deepEqual(fromJson(ProviderSchema, last), records.providers.at(-1));
  t.notRegex(fleetFile(records), /password/i);
});
