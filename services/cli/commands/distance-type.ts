import { create as message } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { GroupKind, GroupKindSchema } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type DistanceStep,
  DistanceStepSchema,
  type DistanceType,
  DistanceTypeSchema,
} from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import { DistanceTypeService } from '../../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { parseGroupKind } from '../format/group-kind.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

/** As it is typed: "same-rack:1:rack". */
const stepText = ({ code, position, sharedKind }: DistanceStep): string =>
  [
    code,
    position,
    ...(sharedKind === GroupKind.UNSPECIFIED ? [] : [enumWord(GroupKindSchema, sharedKind)]),
  ].join(':');

const steps = (type: DistanceType): string => (type.spec?.steps ?? []).map(stepText).join(' ');

const noun: Noun<typeof DistanceTypeSchema> = {
  singular: 'distance type',
  schema: DistanceTypeSchema,
  name: (type) => type.name,
  fullName: (_, typed) => atTop('distanceTypes', typed),
  columns: [
    { title: 'CODE', value: (type) => lastSegment(type.name) },
    { title: 'STEPS, NEAR TO FAR', value: steps },
    { title: 'MEANING', value: (type) => type.spec?.description ?? '' },
  ],
  people: (type) =>
    formatFields([
      ['code', lastSegment(type.name)],
      ['uid', type.uid],
      ['steps', steps(type)],
      ['meaning', type.spec?.description ?? ''],
    ]),
};

/** "same-rack:1:rack": a code, its position, and the kind of group that puts two so near. */
export const parseStep = (text: string): DistanceStep => {
  const match = /^([a-z0-9]+(?:[._-][a-z0-9]+)*):(\d{1,9})(?::([a-z]+))?$/.exec(text);
  if (!match) {
    throw new UsageError(
      `STEP: "${text}" is not CODE:POSITION[:KIND]`,
      'for example same-rack:1:rack',
    );
  }
  const [, code = '', position = '0', kind] = match;
  const sharedKind = kind === undefined ? GroupKind.UNSPECIFIED : parseGroupKind(kind, 'STEP');
  return message(DistanceStepSchema, { code, position: Number(position), sharedKind });
};

const clientOf = (context: Context) => createClient(DistanceTypeService, context.transport());

export const get = getCommand(noun, async (context, name) => {
  return (await clientOf(context).getDistanceType({ name }, callOptions(context))).distanceType;
});

export const list = listCommand(noun, async (context, page) => {
  const answer = await clientOf(context).listDistanceTypes(page, callOptions(context));
  return { rows: answer.distanceTypes, nextPageToken: answer.nextPageToken };
});

const DESCRIPTION = {
  description: { type: 'string', value: 'TEXT', help: 'what it measures' },
} as const;
const STEP_HELP = 'CODE:POSITION[:KIND], from near to far; who shares a group of KIND is that near';

export const create: Command = {
  summary: 'define a way to measure how far things are apart',
  positionals: [{ name: 'code', help: 'code, for example network' }],
  rest: { name: 'step', help: STEP_HELP },
  options: DESCRIPTION,
  examples: ['runm distance-type create fabric same-rack:1:rack same-row:2:row same-site:3:site'],
  run: async (context, args) => {
    const distanceTypeId = args.positional('code');
    const spec = {
      description: args.string('description') ?? '',
      steps: args.rest.map(parseStep),
    };
    const requestId = context.random.requestId();
    const request = { distanceTypeId, distanceType: { spec }, requestId };
    const answer = await clientOf(context).createDistanceType(request, callOptions(context));
    if (!answer.distanceType) return undefined;
    const people = () => `defined ${distanceTypeId}`;
    await showOne(context.output, noun, { message: answer.distanceType, people });
    return undefined;
  },
};

export const update: Command = {
  summary: 'change a distance type; given steps replace the present ones',
  positionals: [{ name: 'code', help: 'code of the distance type' }],
  rest: { name: 'step', help: STEP_HELP, optional: true },
  options: DESCRIPTION,
  run: async (context, args) => {
    const description = args.string('description');
    const paths = [
      ...(description === undefined ? [] : ['spec.description']),
      ...(args.rest.length ? ['spec.steps'] : []),
    ];
    if (paths.length === 0)
      throw new UsageError('nothing to change', 'give --description or steps');
    const name = noun.fullName(context, args.positional('code'));
    const { distanceType } = await clientOf(context).updateDistanceType(
      {
        distanceType: {
          name,
          spec: { description: description ?? '', steps: args.rest.map(parseStep) },
        },
        updateMask: { paths },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (!distanceType) return undefined;
    const people = () => noun.people(distanceType, context);
    await showOne(context.output, noun, { message: distanceType, people });
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  await clientOf(context).deleteDistanceType(request, callOptions(context));
});
