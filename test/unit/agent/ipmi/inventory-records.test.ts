import test from 'ava';
import { fruImage } from '../../../../deploy/lab/ipmi/fru-image.ts';
import { guidOf } from '../../../../deploy/lab/ipmi/guid.ts';
import { labHardware } from '../../../../deploy/lab/lab-hardware.ts';
import { decodeDeviceId } from '../../../../services/agent/drivers/ipmi/records/device-id.ts';
import {
  areaBytes,
  decodeBoardArea,
  decodeFruHeader,
  decodeProductArea,
  isPlaceholder,
} from '../../../../services/agent/drivers/ipmi/records/fru.ts';
import { uuidOf } from '../../../../services/agent/drivers/ipmi/records/guid.ts';
import { endpointOf } from '../../../../services/agent/drivers/ipmi/session/datagrams.ts';
import { hex } from './recorded-exchange.ts';

const HARDWARE = labHardware('r1u1');

test('vendor, model and serial number are read from both areas', (t) => {
  const image = fruImage(HARDWARE);
  const header = decodeFruHeader(image);
  if (header === undefined) throw new Error('no header');
  const area = (at: number) => image.subarray(at, at + areaBytes(image.subarray(at)));
  t.deepEqual(decodeProductArea(area(header.product)), {
    ...{ vendor: HARDWARE.vendor, model: HARDWARE.model, serialNumber: HARDWARE.serialNumber },
  });
  t.is(decodeBoardArea(area(header.board)).serialNumber, `${HARDWARE.serialNumber}-B`);
});

test('an inventory with a wrong checksum says nothing', (t) => {
  const image = fruImage(HARDWARE);
  const wrong = Buffer.from(image);
  wrong[4] = 99;
  t.is(decodeFruHeader(wrong), undefined);
  const header = decodeFruHeader(image);
  const at = header?.product ?? 0;
  const area = Buffer.from(image.subarray(at, at + areaBytes(image.subarray(at))));
  area[6] = (area[6] ?? 0) ^ 1;
  t.is(decodeProductArea(area).vendor, '');
  t.is(decodeFruHeader(Buffer.alloc(8, 0xff)), undefined);
});

test('what nobody has filled in is no serial number', (t) => {
  const empty = ['', '0000000000', 'To be filled by O.E.M.', 'N/A', 'Default string', 'xxxxxxx'];
  t.true(empty.every(isPlaceholder));
  t.false(isPlaceholder('RL78CFEE20EC'));
});

const UUID = '86a9f546-d31b-4ba2-9bbb-303b61bcf8d1';

test('a GUID is read in the order in which it looks like a UUID', (t) => {
  for (const order of ['ipmi', 'smbios', 'rfc'] as const) {
    t.is(uuidOf(guidOf(UUID, order)), UUID, order);
    t.is(uuidOf(guidOf(UUID, order), order), UUID, order);
  }
});

test('a GUID that says nothing is no UUID', (t) => {
  const empty = ['00'.repeat(16), 'ff'.repeat(16), '000102030405060708090a0b0c0d0e0f'];
  const shared = ['03000200040005000006000700080009', '12'];
  for (const guid of [...empty, ...shared]) t.is(uuidOf(hex(guid)), '', guid);
});

test('a controller says what it is and what it has', (t) => {
  // IPMI 2.0 table 20-2, as a Supermicro with firmware 3.65 answers.
  const deviceId = decodeDeviceId(hex('20 01 03 65 02 bf 7c2a00 1108 00000000'));
  t.like(deviceId, { firmware: '3.65', manufacturerId: 10_876, productId: 0x0811, hasLog: true });
  t.like(deviceId, { hasChassis: true, hasSensorRepository: true, hasInventory: true });
  t.is(decodeDeviceId(hex('20 01 03')), undefined);
});

test('an address may have a port, and may be of either family', (t) => {
  t.deepEqual(endpointOf('bmc1.example'), { host: 'bmc1.example', port: 623 });
  t.deepEqual(endpointOf('10.0.0.7:6230'), { host: '10.0.0.7', port: 6230 });
  t.deepEqual(endpointOf('ipmi://10.0.0.7'), { host: '10.0.0.7', port: 623 });
  t.deepEqual(endpointOf('::1'), { host: '::1', port: 623 });
  t.deepEqual(endpointOf('[fe80::1]:99'), { host: 'fe80::1', port: 99 });
  for (const wrong of ['', 'a b', 'host:0', 'host:70000', 'http://x/y', '[::1']) {
    t.is(endpointOf(wrong), undefined, wrong);
  }
});
