/** A claim that is encoded without a message has the bytes of the message. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import test from 'ava';
import fc from 'fast-check';
import { CreateClaimResponseSchema } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type {
  ClaimRecord,
  ClaimSpec,
  Property,
  RequestGroup,
  SetConstraint,
} from '../../../services/scheduler/domain/claim.ts';
import { LAST_MS } from '../../../services/scheduler/domain/claim-length.ts';
import { writeClaim } from '../../../services/scheduler/rpc/claim-bytes.ts';
import { claimMessage } from '../../../services/scheduler/rpc/claim-message.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme', maxLength: 300 }));
const texts = fc.array(text, { maxLength: 3 });
const moment = fc.integer({ min: 0, max: LAST_MS });
const amount = fc.oneof(fc.nat(), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
/** Without the keys that are undefined. */
const sparse = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));

const sets: fc.Arbitrary<SetConstraint> = fc.record({ require: texts, forbid: texts, any: texts });

const property: fc.Arbitrary<Property> = fc.oneof(
  fc.record({ kind: fc.constant('string' as const), value: text }),
  fc.record({
    kind: fc.constant('integer' as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  }),
  fc.record({ kind: fc.constant('number' as const), value: fc.double().map(String) }),
  fc.record({ kind: fc.constant('bool' as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant('strings' as const), value: texts }),
);

const group: fc.Arbitrary<RequestGroup> = fc
  .record({
    name: text,
    resources: fc.array(fc.record({ resourceType: text, amount }), { maxLength: 2 }),
    capabilities: fc.array(sets, { maxLength: 2 }),
    providerGroups: sets,
    tags: sets,
    providers: texts,
    isolateFrom: texts,
    inTree: maybe(text),
    multipleProviders: maybe(fc.constant(true)),
    sameSubtree: maybe(texts),
  })
  .map((one) => sparse(one) as RequestGroup);

const spec: fc.Arbitrary<ClaimSpec> = fc
  .record({
    consumer: maybe(fc.record({ type: text, uid: text, name: text })),
    acquireMs: moment,
    releaseMs: maybe(moment),
    groups: fc.array(group, { minLength: 1, maxLength: 3 }),
    count: fc.integer({ min: 0, max: 1000 }),
    ranking: fc.constantFrom('pack', 'spread', 'random', 'closest'),
    rankingDistanceType: maybe(text),
    nearGroup: maybe(text),
    seed: maybe(text),
    spread: maybe(
      fc.record({ groupKind: fc.constantFrom('rack', 'site'), maxPerGroup: fc.nat(1000) }),
    ),
  })
  .map((one) => sparse(one) as ClaimSpec);

const placement = fc
  .record({
    group: fc.nat(2),
    index: fc.nat(999),
    provider: fc.nat(2),
    amounts: maybe(fc.array(amount, { maxLength: 2 })),
  })
  .map((one) => sparse(one) as ClaimRecord['placements'][number]);

const record: fc.Arbitrary<ClaimRecord> = fc
  .record({
    uid: text,
    partition: text,
    project: text,
    claimId: text,
    owner: text,
    ancestors: texts,
    version: fc.nat(),
    generation: fc.nat(),
    createMs: moment,
    updateMs: moment,
    properties: fc.dictionary(text, property, { maxKeys: 3 }),
    tags: texts,
    spec,
    providers: fc.array(fc.record({ uid: text, name: text, finishMs: maybe(moment) }), {
      maxLength: 3,
    }),
    placements: fc.array(placement, { maxLength: 4 }),
    releaseBeginMs: maybe(moment),
    end: maybe(fc.constantFrom('released', 'expired', 'cancelled')),
    warnMs: maybe(moment),
    risk: maybe(fc.record({ reason: fc.constant('STILL_HELD'), message: text, sinceMs: moment })),
    replacements: maybe(fc.nat(1000)),
    logNumber: fc.nat(),
    requests: fc.constant([]),
  })
  .map((one) => sparse(one) as ClaimRecord);

const NOTHING = {
  claimsOn: () => [],
  endingOn: () => [],
  offersOf: () => new Map(),
  above: () => [],
  below: () => [],
};

test('a claim has the same bytes whether or not there is a message of it', (t) => {
  const revisions = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(record, revisions, moment, (claim, revision, nowMs) => {
      const view = { around: NOTHING, nowMs: () => nowMs };
      const shown = { view, incarnation: 3, revision };
      const writer = new BinaryWriter();
      const { claim: field } = CreateClaimResponseSchema.field;
      // Twice: what the first has made is used by the second.
      writeClaim(writer, field, { claim, shown });
      writer.finish();
      writeClaim(writer, field, { claim, shown });
      const message = create(CreateClaimResponseSchema, { claim: claimMessage(claim, shown) });
      const bytes = toBinary(CreateClaimResponseSchema, message);
      t.deepEqual(Buffer.from(writer.finish()), Buffer.from(bytes));
    }),
    { numRuns: propertyRuns(300) },
  );
});
