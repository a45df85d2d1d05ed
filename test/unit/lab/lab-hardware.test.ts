import test from 'ava';
import { labHardware } from '../../../deploy/lab/lab-hardware.ts';

const SERVERS = 10_000;

test('ten thousand servers of a fleet have no address and no number in common', (t) => {
  const all = Array.from({ length: SERVERS }, (_, at) => labHardware(`bmc${at}`, 'fleet'));
  const macs = all.flatMap(({ bmcMac, nics }) => [bmcMac, ...nics.map(({ mac }) => mac)]);
  t.is(new Set(macs).size, 3 * SERVERS);
  t.is(new Set(all.map(({ serialNumber }) => serialNumber)).size, SERVERS);
  t.is(new Set(all.map(({ uuid }) => uuid)).size, SERVERS);
  t.true(macs.every((mac) => /^52(:[0-9a-f]{2}){5}$/.test(mac)));
});
