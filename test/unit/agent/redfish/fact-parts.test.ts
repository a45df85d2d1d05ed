import test from 'ava';
import {
  diskOf,
  disksOfSimple,
  macOf,
  nicOf,
} from '../../../../services/agent/drivers/redfish/fact-parts.ts';

test('a MAC is lower case with colons, from wherever it stands', (t) => {
  t.is(macOf({ MACAddress: 'AA-BB-CC-00-11-22' }), 'aa:bb:cc:00:11:22');
  t.is(
    macOf({ PermanentMACAddress: 'aabbcc001122', MACAddress: '02:00:00:00:00:01' }),
    'aa:bb:cc:00:11:22',
  );
  t.is(macOf({ Ethernet: { MACAddress: 'aabb.cc00.1122' } }), 'aa:bb:cc:00:11:22');
  for (const none of ['', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', 'N/A', 7, null]) {
    t.is(macOf({ MACAddress: none }), '');
  }
});

test('speeds are bits a second, and what is not said is 0', (t) => {
  const nic = nicOf(false)({ Name: 'NIC 1', MACAddress: 'aa:bb:cc:00:11:22', SpeedMbps: 25_000 });
  t.deepEqual(nic, {
    ...{ label: 'NIC 1', mac: 'aa:bb:cc:00:11:22', speedBitsPerSecond: 25_000_000_000, bmc: false },
  });
  t.is(nicOf(true)({ SpeedMbps: null }).speedBitsPerSecond, 0);
});

test('a disk is of the kind that its protocol or medium says', (t) => {
  t.is(diskOf({ Protocol: 'NVMe', MediaType: 'SSD' }).kind, 'nvme');
  t.is(diskOf({ Protocol: 'SAS', MediaType: 'SSD' }).kind, 'ssd');
  t.is(diskOf({ MediaType: 'HDD' }).kind, 'hdd');
  t.is(diskOf({}).kind, 'unknown');
});

test('drives of SimpleStorage count where they are there', (t) => {
  const storage = {
    Devices: [
      { Name: 'SATA Bay 1', Model: 'Contoso', CapacityBytes: 8e12, Status: { State: 'Enabled' } },
      { Name: 'SATA Bay 2', Status: { State: 'Absent' } },
    ],
  };
  t.deepEqual(
    disksOfSimple(storage).map(({ label, sizeBytes }) => [label, sizeBytes]),
    [['SATA Bay 1', 8e12]],
  );
});
