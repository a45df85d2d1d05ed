import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type DistanceType,
  DistanceTypeSchema,
  DistanceTypeSpecSchema,
} from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import {
  CreateDistanceTypeResponseSchema,
  DeleteDistanceTypeResponseSchema,
  DistanceTypeService,
  UpdateDistanceTypeResponseSchema,
} from '../../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { BuiltInStep } from '../domain/distance-types.ts';
import { stepViolations } from '../domain/distances.ts';
import { distanceTypeName, keyOf, type NamedRecord } from '../domain/records.ts';
import { blockedBy } from './blocked.ts';
import {
  absent,
  badField,
  demandCode,
  lastOf,
  mutate,
  nameKey,
  pageOf,
  type RpcDeps,
  refuseFields,
} from './deps.ts';
import { createNamed, deleteNamed, headFields, type Noun, sameSpec, updateNamed } from './named.ts';

const MASK = resourceMask(DistanceTypeSchema);

const read = (record: NamedRecord): DistanceType =>
  fromJsonString(DistanceTypeSchema, record.doc, { ignoreUnknownFields: true });

/** Codes of its steps. */
export const stepCodes = (record: NamedRecord): readonly string[] =>
  stepsOf(read(record)).map(({ code }) => code);

const stepsOf = ({ spec }: DistanceType) => spec?.steps ?? [];

const docOf = ({ spec }: DistanceType): string =>
  toJsonString(DistanceTypeSchema, create(DistanceTypeSchema, { spec: spec ?? {} }));

const KINDS = {
  power: GroupKind.POWER,
  rack: GroupKind.RACK,
  row: GroupKind.ROW,
  site: GroupKind.SITE,
} as const;

export const distanceTypeDoc = (spec: {
  readonly description: string;
  readonly steps: readonly BuiltInStep[];
}): string => {
  const steps = spec.steps.map(({ code, shares }, at) => ({
    code,
    position: at + 1,
    sharedKind: KINDS[shares],
  }));
  return docOf(create(DistanceTypeSchema, { spec: { description: spec.description, steps } }));
};

const show = (deps: RpcDeps, record: NamedRecord): DistanceType =>
  create(DistanceTypeSchema, {
    ...read(record),
    ...headFields(deps, record),
    name: distanceTypeName(record),
  });

const nounOf = ({ records }: RpcDeps): Noun<DistanceType> => ({
  kind: 'distance_type',
  collection: 'distanceTypes',
  nameOf: distanceTypeName,
  records: records.distanceTypes,
  read,
  doc: docOf,
  isSameSpec: (before, after) => sameSpec(DistanceTypeSpecSchema, before.spec, after.spec),
});

export const distanceTypeRpc = (deps: RpcDeps): Implementation =>
  implement(DistanceTypeService, {
    ...reads(deps),
    createDistanceType: ({ distanceTypeId: id, distanceType, validateOnly }, context) => {
      const response = CreateDistanceTypeResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        demandCode('distance_type_id', id);
        const given = distanceType ?? create(DistanceTypeSchema);
        demandSteps(given);
        const record = await createNamed(deps, tx, { noun: nounOf(deps), id, given });
        return create(response, { distanceType: show(deps, record) });
      });
    },
    updateDistanceType: ({ distanceType, updateMask, validateOnly }, context) => {
      MASK.check(updateMask);
      const response = UpdateDistanceTypeResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const given = distanceType ?? create(DistanceTypeSchema);
        const change = async (before: DistanceType, record: NamedRecord) => {
          const after = MASK.apply(updateMask, given, before);
          demandSteps(after);
          const kept = stepsOf(after).map(({ code }) => code);
          await demandUnnamed(deps, tx, { record, kept, verb: 'take steps from' });
          return after;
        };
        const { name, etag } = given;
        const record = await updateNamed(deps, tx, { noun: nounOf(deps), name, etag, change });
        return create(response, { distanceType: show(deps, record) });
      });
    },
    deleteDistanceType: (request, context) =>
      mutate(deps, context, { response: DeleteDistanceTypeResponseSchema }, async (tx) => {
        const demandUnused = (record: NamedRecord) =>
          demandUnnamed(deps, tx, { record, kept: [], verb: 'delete' });
        await deleteNamed(deps, tx, { noun: nounOf(deps), request, demandUnused });
        return create(DeleteDistanceTypeResponseSchema);
      }),
  });

const reads = (deps: RpcDeps) =>
  ({
    getDistanceType: async ({ name }, context) => {
      const { store, records } = deps;
      const record = await store.read((reader) => records.distanceTypes.find(reader, lastOf(name)));
      if (!record || accessOf(context).nowhere) throw absent(name);
      return { distanceType: show(deps, record) };
    },
    listDistanceTypes: async (request, context) => {
      const page = pageOf(deps, request, 'distanceTypes');
      if (accessOf(context).nowhere) return { distanceTypes: [], nextPageToken: '' };
      const { store, records } = deps;
      const rows = await store.read((reader) => records.distanceTypes.list(reader, {}, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: DistanceTypeSchema,
        toMessage: (row) => show(deps, row),
        keyOf: nameKey,
      });
      return { distanceTypes: messages, nextPageToken };
    },
  }) satisfies Partial<Parameters<typeof implement<typeof DistanceTypeService>>[1]>;

const demandSteps = (type: DistanceType): void => {
  const steps = stepsOf(type);
  // A masked update need not say them, so the contract does not demand them.
  if (steps.length === 0) throw badField('spec.steps', 'must name at least one step');
  const violations = stepViolations(steps);
  if (violations.length > 0) throw refuseFields(violations);
};

type Removal = {
  readonly record: NamedRecord;
  readonly kept: readonly string[];
  readonly verb: string;
};

const demandUnnamed = async (
  { records }: RpcDeps,
  tx: Tx,
  { record, kept, verb }: Removal,
): Promise<void> => {
  const names = await records.groups.distancesOf(tx, keyOf(record.id), kept);
  const what = 'say how far they are by it';
  const blocked = blockedBy(distanceTypeName(record), [{ what, key: 'distances', names }], verb);
  if (blocked) throw blocked;
};
