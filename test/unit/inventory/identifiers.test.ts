import test from 'ava';
import { identifiersOf } from '../../../services/inventory/domain/identifiers.ts';
import { discoveryId } from '../../../services/inventory/rpc/discovery-id.ts';

const keysOf = (serialNumber: string, smbiosUuid: string, ...macs: string[]) =>
  identifiersOf({
    nics: macs.map((mac, index) => ({ label: `eth${index}`, mac })),
    facts: { serialNumber, smbiosUuid },
  }).map(({ key }) => key);

test('MAC addresses, serial numbers and UUIDs tell hardware apart in any spelling', (t) => {
  t.deepEqual(keysOf(' AbC-1 ', '{4C4C4544-0042-3510-8056-B4C04F4A3232}', '02:00:00:00:00:0a'), [
    'mac 02:00:00:00:00:0a',
    'serial abc-1',
    'uuid 4c4c4544004235108056b4c04f4a3232',
  ]);
});

test('one that is shown twice counts once', (t) => {
  t.is(keysOf('', '', '02:00:00:00:00:01', '02:00:00:00:00:01').length, 1);
});

for (const serial of [
  '',
  ' ',
  '0',
  '0000000',
  'xxxx',
  'To Be Filled By O.E.M.',
  'N/A',
  'Default string',
]) {
  test(`"${serial}" is no serial number`, (t) => {
    t.deepEqual(keysOf(serial, ''), []);
  });
}

for (const uuid of [
  '00000000-0000-0000-0000-000000000000',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '',
]) {
  test(`"${uuid}" is no UUID of a server`, (t) => {
    t.deepEqual(keysOf('', uuid), []);
  });
}

test('an address that nobody has tells nothing apart', (t) => {
  t.deepEqual(keysOf('', '', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', ''), []);
});

for (const [address, key, ipmiAddress = ''] of [
  ['10.0.0.1', 'bmc 10.0.0.1'],
  [' HTTPS://10.0.0.1:443/redfish/v1/', 'bmc 10.0.0.1'],
  ['10.0.0.1:623', 'bmc 10.0.0.1', '10.0.0.1'],
  ['http://BMC-1.lab/', 'bmc bmc-1.lab'],
  ['http://bmc-1.lab:80', 'bmc bmc-1.lab'],
  ['https://bmc-1.lab:80', 'bmc bmc-1.lab:80'],
  ['10.0.0.1:8443', 'bmc 10.0.0.1:8443'],
  ['fe80::1', 'bmc [fe80::1]'],
  ['[fe80::1]:443', 'bmc [fe80::1]'],
  ['https://[fe80::1]:8443', 'bmc [fe80::1]:8443'],
  ['https://10.0.0.1/redfish/v1/Systems/2/', 'bmc 10.0.0.1/redfish/v1/systems/2'],
  ['gw:8443', 'bmc gw:6231, bmc gw:8443', 'gw:6231'],
  ['gw/redfish/v1/Systems/a', 'bmc gw/redfish/v1/systems/a', 'GW:623'],
  ['', '', '10.0.0.1'],
] as const) {
  test(`a server at ${address || 'no address'} (IPMI ${ipmiAddress}) is "${key}"`, (t) => {
    const found = identifiersOf({ nics: [], bmc: { address, ipmiAddress } });
    t.is(found.map((one) => one.key).join(', '), key);
  });
}

for (const [address, id] of [
  ['10.0.0.1', '10.0.0.1'],
  ['HTTPS://10.0.0.1:8443/', '10.0.0.1-8443'],
  ['bmc-1.lab.example', 'bmc-1.lab.example'],
] as const) {
  test(`what is found at ${address} is called ${id}`, (t) => {
    t.is(discoveryId(address), id);
  });
}

test('addresses that differ have ids that differ, and every id is one', (t) => {
  const addresses = [
    '[fe80::1]',
    '[fe80:1::]',
    'fe80--1',
    '10.0.0.1/a',
    '10.0.0.1/b',
    `${'long.'.repeat(20)}a`,
    `${'long.'.repeat(20)}b`,
    '___',
  ];
  const ids = addresses.map(discoveryId);
  t.is(new Set(ids).size, addresses.length);
  for (const id of ids) t.regex(id, /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
});
