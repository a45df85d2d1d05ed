import test from 'ava';
import { sensorRecords } from '../../../../deploy/lab/ipmi/sensor-records.ts';
import type { LabSensor } from '../../../../deploy/lab/server-port.ts';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { createSensorRepository } from '../../../../services/agent/drivers/ipmi/aspects/sensor-repository.ts';
import { CODE } from '../../../../services/agent/drivers/ipmi/wire/completion-code.ts';

const SENSORS: readonly LabSensor[] = ['Inlet Temp', 'CPU1 Temp', 'CPU2 Temp'].map((name) => ({
  ...{ name, kind: 'temperature', value: 20, upperCritical: 90 },
}));
const RECORDS = sensorRecords(SENSORS);
const GET_RECORD = 0x23;
const HEADER_BYTES = 5;
const END = 0xffff;
const inTime = () => AbortSignal.timeout(60_000);

/** What is answered for the record of that id, from that byte on; 0: the record. */
type BadRecord = { readonly id: number; readonly from: number; code: number };

const withBadRecord = (bad: BadRecord) => {
  const ask = async ({ command, data }: { command: number; data: Uint8Array }) => {
    if (command !== GET_RECORD) return { code: 0, data: Buffer.alloc(14) };
    const asked = Buffer.from(data);
    const id = asked.readUInt16LE(2) || 1;
    const [offset, count] = [asked.readUInt8(4), asked.readUInt8(5)];
    if (id === bad.id && offset >= bad.from && bad.code !== 0) {
      return { code: bad.code, data: Buffer.alloc(0) };
    }
    const next = Buffer.alloc(2);
    next.writeUInt16LE(id < RECORDS.length ? id + 1 : END);
    const bytes = RECORDS[id - 1]?.subarray(offset, offset + count) ?? Buffer.alloc(0);
    return { code: 0, data: Buffer.concat([next, bytes]) };
  };
  const link = { provider: 'r1u1', ask };
  return createSensorRepository({ link, deviceId: { hasSensorRepository: true } });
};

const namesOf = async (repository: ReturnType<typeof withBadRecord>) =>
  (await repository.read(inTime())).map(({ name }) => name);

test('a record whose rest cannot be read is left out, and tried again the next time', async (t) => {
  const bad: BadRecord = { id: 2, from: HEADER_BYTES, code: CODE.timeout };
  const repository = withBadRecord(bad);
  t.deepEqual(await namesOf(repository), ['Inlet Temp', 'CPU2 Temp', 'Health']);
  bad.code = 0;
  t.deepEqual(await namesOf(repository), ['Inlet Temp', 'CPU1 Temp', 'CPU2 Temp', 'Health']);
});

test('the last record may be listed and not be there', async (t) => {
  for (const code of [CODE.timeout, CODE.notPresent, 0xff]) {
    const repository = withBadRecord({ id: RECORDS.length, from: 0, code });
    t.deepEqual(await namesOf(repository), ['Inlet Temp', 'CPU1 Temp', 'CPU2 Temp']);
  }
});

test('a controller that gives no record, or refuses them, is told', async (t) => {
  for (const bad of [
    { id: 1, from: 0, code: CODE.timeout },
    { id: 2, from: 0, code: CODE.insufficientPrivilege },
  ]) {
    const read = withBadRecord(bad).read(inTime());
    await t.throwsAsync(read, { instanceOf: BmcError });
  }
});
