import { create, equals, toBinary, toJson } from '@bufbuild/protobuf';
import test from 'ava';
import {
  BatchCreateClaimsResponseSchema,
  CreateClaimResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { bytesOfAnswer, encodedAnswer } from '../../../services/runtime/rpc/encoded-answer.ts';

const CLAIM = { name: 'partitions/p/projects/q/claims/c', tags: ['a'], spec: { count: 2 } };

test('an answer that is encoded already is the message to everybody', (t) => {
  const message = create(CreateClaimResponseSchema, { claim: CLAIM });
  const bytes = toBinary(CreateClaimResponseSchema, message);
  const answer = encodedAnswer(CreateClaimResponseSchema, bytes);
  t.is(bytesOfAnswer(answer), bytes);
  t.is(answer.claim?.spec?.count, 2);
  t.true(equals(CreateClaimResponseSchema, answer, message));
  t.deepEqual(toBinary(CreateClaimResponseSchema, answer), bytes);
  t.deepEqual(
    toJson(CreateClaimResponseSchema, answer),
    toJson(CreateClaimResponseSchema, message),
  );
  t.is(create(CreateClaimResponseSchema, answer), answer);
});

test('what is no such answer has no bytes', (t) => {
  const message = create(BatchCreateClaimsResponseSchema, {
    results: [{ result: { case: 'claim', value: CLAIM } }],
  });
  t.is(bytesOfAnswer(message), undefined);
  t.is(bytesOfAnswer({}), undefined);
  const bytes = toBinary(BatchCreateClaimsResponseSchema, message);
  const answer = encodedAnswer(BatchCreateClaimsResponseSchema, bytes);
  t.deepEqual(answer.results, message.results);
});
