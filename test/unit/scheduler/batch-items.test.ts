import { create } from '@bufbuild/protobuf';
import test from 'ava';
import fc from 'fast-check';
import {
  type BatchClaim,
  BatchClaimSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { argumentHash } from '../../../services/runtime/request-key.ts';
import { createBatchItems } from '../../../services/scheduler/rpc/batch-items.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const KNOWN: ReadonlySet<string> = new Set(['runm.cpu']);

const read = () =>
  createBatchItems(
    {
      catalogue: {
        unknownResourceTypes: async (codes) => codes.filter((code) => !KNOWN.has(code)),
        unknownCapabilities: async () => [],
      },
      topologies: {
        of: () => {
          throw new Error('nothing of it is asked for');
        },
        learn: async () => undefined,
      },
    },
    { partition: 'p1', signal: new AbortController().signal },
  );

type Wish = { readonly claimId: string; readonly type?: string; readonly amount?: number };

const item = ({ claimId, type = 'runm.cpu', amount = 1 }: Wish): BatchClaim =>
  create(BatchClaimSchema, {
    claimId,
    claim: {
      properties: {
        b: { kind: { case: 'stringValue', value: 'ü' } },
        a: { kind: { case: 'boolValue', value: true } },
      },
      tags: ['one'],
      spec: { groups: [{ resources: [{ resourceType: type, amount: BigInt(amount) }] }] },
    },
  });

test('an item is known again by the hash that it has for itself', (t) => {
  const reader = read();
  for (const one of [
    item({ claimId: 'a' }),
    item({ claimId: 'b' }),
    item({ claimId: 'b', amount: 2 }),
    { ...item({ claimId: 'a' }), $unknown: [{ no: 99, wireType: 0, data: Uint8Array.of(1) }] },
  ]) {
    const alone = Buffer.from(argumentHash(BatchClaimSchema, one)).toString('hex');
    t.is(reader(one).argumentHash, alone);
  }
});

test('items that ask for the same have one content and are checked once', (t) => {
  const reader = read();
  const first = reader(item({ claimId: 'a' }));
  const second = reader(item({ claimId: 'b' }));
  const other = reader(item({ claimId: 'c', amount: 2 }));
  t.is(first.content, second.content);
  t.is(first.checked, second.checked);
  t.is(other.content.spec.groups[0]?.resources[0]?.amount, 2);
});

test('a wrong name is refused beside right ones that ask for the same', (t) => {
  const reader = read();
  reader(item({ claimId: 'a' }));
  t.throws(() => reader(item({ claimId: '-' })), { message: /claim_id/ });
  t.notThrows(() => reader(item({ claimId: 'b' })));
});

test('a name is right or wrong behind another as it is for itself', (t) => {
  const names = fc.oneof(
    fc.string({ maxLength: 4 }),
    fc.stringMatching(/^[A-Za-z0-9._-]{0,66}\n?$/),
    fc.constantFrom('a'.repeat(63), 'a'.repeat(64), 'a\n', 'ä'),
  );
  const isRefused = (reader: ReturnType<typeof read>, claimId: string): boolean => {
    try {
      reader(item({ claimId }));
      return false;
    } catch {
      return true;
    }
  };
  const behind = read();
  behind(item({ claimId: 'a' }));
  fc.assert(
    fc.property(names, (claimId) => {
      t.is(isRefused(behind, claimId), isRefused(read(), claimId), claimId);
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('what is wrong with the claim every item is told that asks for it', async (t) => {
  const reader = read();
  for (const claimId of ['a', 'b']) {
    t.throws(() => reader(item({ claimId, amount: 0 })), { message: /amount/ });
    const unknown = reader(item({ claimId, type: 'x' }));
    await t.throwsAsync(unknown.checked, { message: /no resource type "x"/ });
    t.throws(() => reader(create(BatchClaimSchema, { claimId })), { message: /claim/ });
    t.throws(() => reader(create(BatchClaimSchema, { claimId, claim: {} })), {
      message: /must say what is wanted/,
    });
  }
});
