import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import test from 'ava';
import { BmcLogSchema, BmcSensorsSchema } from '../../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { FactsSchema } from '../../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  factsMessage,
  logMessages,
  sensorMessages,
} from '../../../../services/agent/bmc/answer-message.ts';
import type { HardwareFacts } from '../../../../services/agent/bmc-port.ts';

const HONEST: HardwareFacts = {
  vendor: 'Acme',
  model: 'M1',
  serialNumber: 'S1',
  smbiosUuid: '',
  architecture: 'x86_64',
  cpuModel: '',
  cpuSockets: 2,
  cpuThreads: 64,
  memoryBytes: 2 ** 38,
  disks: [],
  nics: [],
  firmware: [],
};

const read = (change: Partial<HardwareFacts>) => {
  const message = factsMessage({ ...HONEST, ...change });
  toJson(FactsSchema, message);
  return fromBinary(FactsSchema, toBinary(FactsSchema, message));
};

test('what a controller says of itself is told as it says it', (t) => {
  const { cpuThreads, memoryBytes, serialNumber } = read({});
  t.deepEqual([cpuThreads, memoryBytes, serialNumber], [64, 2n ** 38n, 'S1']);
});

for (const amount of [1e12, 1e30, 1e300, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`an amount that cannot be, ${amount}, costs no other fact`, (t) => {
    const disk = { label: 'sda', model: '', serialNumber: '', kind: 'ssd' } as const;
    const nic = { label: 'eth0', mac: '52:54:00:00:00:01', bmc: false };
    const facts = read({
      cpuThreads: amount,
      cpuSockets: amount,
      memoryBytes: amount,
      disks: [{ ...disk, sizeBytes: amount }],
      nics: [{ ...nic, speedBitsPerSecond: amount }],
    });
    t.is(facts.cpuThreads, 0);
    t.is(facts.serialNumber, 'S1');
    t.is(facts.disks[0]?.label, 'sda');
    t.is(facts.nics[0]?.mac, nic.mac);
    if (amount > 2 ** 63) t.is(facts.memoryBytes, 0n);
  });
}

test('texts of any length and half characters make a message', (t) => {
  const facts = read({
    vendor: '\ud800x',
    model: `${'a'.repeat(127)}😀`,
    cpuModel: 'c'.repeat(999),
  });
  t.is(facts.vendor, '\ufffdx');
  t.is(facts.cpuModel.length, 128);
  const sensor = { name: 'n'.repeat(999), kind: 'other', unit: 'u'.repeat(99_999) } as const;
  const sensors = sensorMessages([{ ...sensor, health: 'ok' }]);
  t.true(toBinary(BmcSensorsSchema, create(BmcSensorsSchema, { sensors })).length < 1_000);
});

test('an entry with a time that cannot be is told without it', (t) => {
  const at = new Date('+200000-01-01T00:00:00Z');
  const entries = logMessages([{ id: '1', at, severity: 'ok', message: 'booted' }]);
  t.is(entries[0]?.time, undefined);
  t.notThrows(() => toJson(BmcLogSchema, create(BmcLogSchema, { entries })));
});
