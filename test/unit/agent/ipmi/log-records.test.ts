import test from 'ava';
import {
  decodeLogRecord,
  sensorKey,
} from '../../../../services/agent/drivers/ipmi/records/log-record.ts';
import type { SensorRecord } from '../../../../services/agent/drivers/ipmi/records/sensor-record.ts';
import { hex } from './recorded-exchange.ts';

const SENSOR: SensorRecord = {
  ...{ owner: 0x20, lun: 0, number: 9, name: 'PSU1' },
  ...{ sensorType: 8, eventType: 0x6f, conversion: undefined },
};
const SENSORS = new Map([[sensorKey(0x20, 9), SENSOR]]);
const told = (record: string) => decodeLogRecord(hex(record), SENSORS);

test('an event names its sensor, its kind and what happened', (t) => {
  t.deepEqual(told('0100 02 00f15365 2000 04 08 09 6f 01ffff'), {
    id: '1',
    at: new Date(0x6553f100 * 1_000),
    severity: 'critical',
    message: 'PSU1 (power supply): failure',
  });
});

test('an event that is over is well again', (t) => {
  t.like(told('0200 02 00f15365 2000 04 08 09 ef 01ffff'), {
    severity: 'ok',
    message: 'PSU1 (power supply): failure, over',
  });
});

test('a controller whose clock was never set tells no time', (t) => {
  t.is(told('0100 02 10000000 2000 04 08 09 6f 01ffff')?.at, undefined);
  t.is(told('0100 02 ffffffff 2000 04 08 09 6f 01ffff')?.at, undefined);
});

test('an unknown sensor and an unknown event are told as numbers', (t) => {
  t.like(told('0100 02 00f15365 2000 04 08 55 6f 0affff'), {
    severity: 'warning',
    message: 'sensor 85 (power supply): event 6f0affff',
  });
  t.like(told('0100 02 00f15365 2000 04 c3 55 70 01ffff'), {
    message: 'sensor 85 (sensor type c3h): event 7001ffff',
  });
});

test('records of a vendor’s own are told as they are', (t) => {
  t.like(told('0300 c1 00f15365 d97e00 010203040506'), {
    at: new Date(0x6553f100 * 1_000),
    severity: 'ok',
    message: 'OEM record c1h of manufacturer 32473: 010203040506',
  });
  const plain = told('0400 e0 0102030405060708090a0b0c0d');
  t.is(plain?.at, undefined);
  t.is(plain?.message, 'OEM record e0h: 0102030405060708090a0b0c0d');
});

test('a record that is cut off is none', (t) => {
  t.is(told('0100 02 00f15365 2000 04'), undefined);
});
