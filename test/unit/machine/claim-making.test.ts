import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Code, createRouterTransport } from '@connectrpc/connect';
import test from 'ava';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import {
  type BatchClaim,
  ClaimService,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { createClaimMaker } from '../../../services/machine/work/claim-making.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { machine, spec } from './fixtures.ts';

const SERVER = spec({ type: 'bare_metal', cpus: 0, memoryBytes: 0 });
const { signal } = new AbortController();

const wantedBy = (onBehalfOf: string, project = 'red') => ({
  machine: machine({ uid: systemRandom.uid(), project, spec: SERVER }),
  providerUid: '',
  caller: { principal: 'users/ann', onBehalfOf },
  requestId: systemRandom.uid(),
});

/** Refuses each whose id is in `full`. */
const schedulerOf = (full: ReadonlySet<string> = new Set()) => {
  const calls: { readonly parent: string; readonly ids: readonly string[] }[] = [];
  const resultOf = ({ claimId }: BatchClaim) =>
    full.has(claimId)
      ? ({ case: 'error', value: noCapacity() } as const)
      : ({ case: 'claim', value: { name: claimId } } as const);
  const transport = createRouterTransport(({ service }) =>
    service(ClaimService, {
      createClaim: ({ parent, claimId }) => {
        calls.push({ parent, ids: [claimId] });
        return { claim: { name: claimId } };
      },
      batchCreateClaims: ({ parent, claims }) => {
        calls.push({ parent, ids: claims.map(({ claimId }) => claimId) });
        return { results: claims.map((item) => ({ result: resultOf(item) })) };
      },
    }),
  );
  return { calls, make: createClaimMaker(transport) };
};

const noCapacity = () =>
  create(StatusSchema, {
    code: Code.ResourceExhausted,
    message: 'no room',
    details: [
      anyPack(
        ErrorInfoSchema,
        create(ErrorInfoSchema, { domain: 'runmachine', reason: 'NO_CAPACITY' }),
      ),
    ],
  });

test('claims that are asked for at once are one call for each caller and project', async (t) => {
  const { calls, make } = schedulerOf();
  const wanted = [
    ...[wantedBy('ann'), wantedBy('ann'), wantedBy('bob')],
    ...[wantedBy('ann', 'blue'), wantedBy('ann')],
  ];
  const made = await Promise.all(wanted.map((one) => make(one, signal)));
  const idOf = (at: number) => `machine-${wanted[at]?.machine.uid}`;
  t.deepEqual(
    made.map(({ name }) => name),
    wanted.map((_, at) => idOf(at)),
  );
  const [red, blue] = ['partitions/lab/projects/red', 'partitions/lab/projects/blue'];
  t.deepEqual(calls, [
    { parent: red, ids: [idOf(0), idOf(1), idOf(4)] },
    { parent: red, ids: [idOf(2)] },
    { parent: blue, ids: [idOf(3)] },
  ]);
});

test('a claim that is refused among others says why, and hinders none of them', async (t) => {
  const wanted = [wantedBy('ann'), wantedBy('ann'), wantedBy('ann')];
  const { make } = schedulerOf(new Set([`machine-${wanted[1]?.machine.uid}`]));
  const [first, second, third] = await Promise.allSettled(wanted.map((one) => make(one, signal)));
  t.is(first?.status, 'fulfilled');
  t.is(third?.status, 'fulfilled');
  t.true(
    second?.status === 'rejected' &&
      isDomainError(second.reason, 'resource_exhausted', 'NO_CAPACITY'),
  );
});
