import { create, fromJson, type JsonObject } from '@bufbuild/protobuf';
import test from 'ava';
import { BatchUpsertProvidersRequestSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  CreateMachineRequestSchema,
  CreateMachineResponseSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { argumentHash, requestKey } from '../../../services/runtime/request-key.ts';

const hash = (json: Parameters<typeof fromJson>[1]) =>
  Buffer.from(
    argumentHash(CreateMachineRequestSchema, fromJson(CreateMachineRequestSchema, json)),
  ).toString('hex');

test('the hash ignores the request id and the order of map entries', (t) => {
  const a = hash({
    requestId: 'one',
    machineId: 'm',
    machine: { properties: { b: { stringValue: '1' }, a: { integerValue: '2' } } },
  });
  const b = hash({
    requestId: 'two',
    machineId: 'm',
    machine: { properties: { a: { integerValue: '2' }, b: { stringValue: '1' } } },
  });
  t.is(a, b);
});

test('the order of map entries does not count in the items of a batch either', (t) => {
  const batch = (properties: JsonObject) =>
    fromJson(BatchUpsertProvidersRequestSchema, {
      items: [
        { providerId: 'r1' },
        { providerId: 'r2', provider: { spec: { nics: [{ label: 'eth0' }] }, properties } },
      ],
    });
  const hashOf = (properties: JsonObject) =>
    Buffer.from(argumentHash(BatchUpsertProvidersRequestSchema, batch(properties))).toString('hex');
  const [a, b] = [{ integerValue: '2' }, { stringValue: '1' }];
  t.is(hashOf({ b, a }), hashOf({ a, b }));
  t.not(hashOf({ a, b }), hashOf({ a: b, b: a }));
});

test('the hash sees every other difference', (t) => {
  const one = hash({ machineId: 'm', machine: { tags: ['a', 'b'] } });
  t.not(one, hash({ machineId: 'm', machine: { tags: ['b', 'a'] } }));
  t.not(one, hash({ machineId: 'n', machine: { tags: ['a', 'b'] } }));
  t.not(one, hash({ machineId: 'm', machine: { tags: ['a', 'b'] }, validateOnly: true }));
});

test('the request itself is not changed', (t) => {
  const request = create(CreateMachineRequestSchema, { requestId: 'r', machineId: 'm' });
  argumentHash(CreateMachineRequestSchema, request);
  t.is(request.requestId, 'r');
});

test('an answer survives being stored', (t) => {
  const mark = { requestId: 'r', method: '/m', caller: 'users/u', argumentHash: new Uint8Array() };
  const key = requestKey(mark, CreateMachineResponseSchema);
  const answer = create(CreateMachineResponseSchema, { machine: { name: 'n' } });
  t.is(key.decodeAnswer(key.encodeAnswer(answer)).machine?.name, 'n');
});
