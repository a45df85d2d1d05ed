import test from 'ava';
import { sensorRecords } from '../../../../deploy/lab/ipmi/sensor-records.ts';
import {
  amountOf,
  healthOfBits,
  healthOfThresholds,
  kindOf,
  ucumOf,
} from '../../../../services/agent/drivers/ipmi/records/sensor-amount.ts';
import {
  type Conversion,
  decodeFactors,
  decodeSensorRecord,
  decodeText,
  signed,
} from '../../../../services/agent/drivers/ipmi/records/sensor-record.ts';
import { hex } from './recorded-exchange.ts';

const conversion = (more: Partial<Conversion>): Conversion => ({
  format: 'unsigned',
  isPercentage: false,
  unit: 4,
  linearization: 0,
  factors: { m: 1, b: 0, bExponent: 0, resultExponent: 0 },
  thresholds: {},
  ...more,
});

test('a record that the lab makes is read as what it was made of', (t) => {
  const sensors = [
    { name: 'CPU1 Temp', kind: 'temperature', value: 52, upperCritical: 95 },
    { name: 'Fan1', kind: 'fan', value: 7_200, upperCritical: 18_000 },
  ] as const;
  const [cpu, fan, health] = sensorRecords(sensors).flatMap(decodeSensorRecord);
  t.like(cpu, { name: 'CPU1 Temp', number: 1, owner: 0x20, sensorType: 1, eventType: 1 });
  t.like(fan, { name: 'Fan1', number: 2, sensorType: 4 });
  t.like(health, { name: 'Health', eventType: 7, conversion: undefined });
  const limit = amountOf(
    cpu?.conversion?.thresholds.upperCritical ?? 0,
    conversion(cpu?.conversion ?? {}),
  );
  t.true(Math.abs((limit ?? 0) - 95) < 0.5, String(limit));
});

test('amounts follow from the factors of a record', (t) => {
  // 0.06 V a step and 1.2 V below: m 6, b −120 × 10⁻⁰, result exponent −2.
  const factors = { m: 6, b: -120, bExponent: 0, resultExponent: -2 };
  t.is(amountOf(200, conversion({ factors })), 10.8);
  t.is(amountOf(0, conversion({ factors })), -1.2);
});

test('factors have ten bits, exponents four, all with a sign', (t) => {
  t.deepEqual(decodeFactors(hex('ff 00 38 c0 00 d0')), {
    ...{ m: 255, b: -200, resultExponent: -3, bExponent: 0 },
  });
  t.deepEqual(decodeFactors(hex('01 c0 00 00 00 2f')), {
    ...{ m: -255, b: 0, resultExponent: 2, bExponent: -1 },
  });
  t.is(signed(0x8, 4), -8);
  t.is(signed(0x7, 4), 7);
});

test('raw values have the sign that the record says', (t) => {
  t.is(amountOf(0xfe, conversion({ format: 'unsigned' })), 254);
  t.is(amountOf(0xfe, conversion({ format: 'twos_complement' })), -2);
  t.is(amountOf(0xfe, conversion({ format: 'ones_complement' })), -1);
});

const LINEAR: readonly (readonly [number, number, number | undefined])[] = [
  [1, 1, 0],
  [2, 100, 2],
  [3, 8, 3],
  [5, 2, 100],
  [6, 10, 1_024],
  [7, 4, 0.25],
  [7, 0, undefined],
  [8, 12, 144],
  [9, 3, 27],
  [10, 81, 9],
  [11, 27, 3],
  [1, 0, undefined],
];

test('linearizations are those of table 43-1', (t) => {
  for (const [linearization, raw, wanted] of LINEAR) {
    t.is(amountOf(raw, conversion({ linearization })), wanted, `${linearization} of ${raw}`);
  }
});

test('temperatures are told in degrees Celsius, shares in per cent', (t) => {
  t.is(amountOf(212, conversion({ unit: 2 })), 100);
  t.is(ucumOf(conversion({ unit: 2 })), 'Cel');
  t.is(amountOf(255, conversion({ unit: 3 })), -18.15);
  t.is(ucumOf(conversion({ isPercentage: true })), '%');
  t.is(ucumOf(conversion({ unit: 200 })), '');
});

test('a sensor is of the kind of its unit, else of its type', (t) => {
  const common = { owner: 0x20, lun: 0, number: 1, name: '', eventType: 1 };
  t.is(kindOf({ ...common, sensorType: 4, conversion: conversion({ unit: 6 }) }), 'power');
  t.is(kindOf({ ...common, sensorType: 4, conversion: undefined }), 'fan');
  t.is(kindOf({ ...common, sensorType: 0x12, conversion: undefined }), 'other');
});

test('health follows from the thresholds that are passed', (t) => {
  t.is(healthOfBits(0), 'ok');
  t.is(healthOfBits(0x01), 'warning');
  t.is(healthOfBits(0x08), 'warning');
  t.is(healthOfBits(0x10), 'critical');
  t.is(healthOfBits(0x24), 'critical');
});

test('where the controller does not compare, the record’s thresholds do', (t) => {
  const thresholds = { upperNonCritical: 80, upperCritical: 90, lowerCritical: 5 };
  const health = (raw: number) => healthOfThresholds(raw, conversion({ thresholds }));
  t.deepEqual([50, 80, 90, 5, 6].map(health), ['ok', 'warning', 'critical', 'critical', 'ok']);
  const signedOnes = conversion({ format: 'twos_complement', thresholds: { lowerCritical: 0xf6 } });
  t.is(healthOfThresholds(0xf0, signedOnes), 'critical');
  t.is(healthOfThresholds(0x05, signedOnes), 'ok');
});

test('one compact record can stand for several sensors', (t) => {
  const record = Buffer.alloc(37);
  record.set(hex('0100 51 02 20 20 00 30'), 0);
  record.set([0x0d, 0x6f], 12);
  record[23] = 0x03;
  record[24] = 0x04;
  record.set(Buffer.concat([Buffer.from([0xc5]), Buffer.from('Disk ')]), 31);
  t.deepEqual(
    decodeSensorRecord(record).map(({ name, number }) => `${name}=${number}`),
    ['Disk4=48', 'Disk5=49', 'Disk6=50'],
  );
  record[23] = 0x12;
  record[24] = 0x19;
  t.deepEqual(
    decodeSensorRecord(record).map(({ name }) => name),
    ['DiskZ', 'DiskAA'],
  );
});

test('texts are read in each of their encodings', (t) => {
  t.is(decodeText(3, Buffer.from('Fan\u00e9', 'latin1')), 'Fané');
  t.is(decodeText(1, hex('12 3a 4b')), '123 4-');
  // "IPMI" in six-bit ASCII (FRU Information Storage Definition §13.3).
  t.is(decodeText(2, hex('29 dc a6')), 'IPMI');
  t.is(decodeText(3, Buffer.from('evil\u001b[2Jname')), 'evil[2Jname');
});

test('records that describe no sensor, or end early, are left out', (t) => {
  t.deepEqual(decodeSensorRecord(hex('0100 51 11 05 0000000000')), []);
  t.deepEqual(decodeSensorRecord(hex('0100 51 01 30 20')), []);
  t.deepEqual(decodeSensorRecord(Buffer.alloc(0)), []);
});
