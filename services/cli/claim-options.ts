import { create } from '@bufbuild/protobuf';
import { SetConstraintSchema } from '../../gen/runmachine/common/v1/constraint_pb.ts';
import {
  type RequestGroup,
  RequestGroupSchema,
} from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { Args, Option } from './command.ts';
import { parseSizeBytes } from './format/size.ts';
import { UsageError } from './usage-error.ts';

export const claimOptions: Readonly<Record<string, Option>> = {
  cpus: { type: 'string', value: 'N', help: 'virtual processors' },
  memory: { type: 'string', value: 'SIZE', help: 'memory' },
  disk: { type: 'string', value: 'SIZE', help: 'block storage' },
  whole: { type: 'boolean', help: 'a whole server' },
  count: { type: 'string', value: 'N', help: 'how many, all or nothing (1)' },
  require: { type: 'string', multiple: true, value: 'CODE', help: 'capability that must be there' },
  forbid: {
    type: 'string',
    multiple: true,
    value: 'CODE',
    help: 'capability that must not be there',
  },
  group: { type: 'string', multiple: true, value: 'ID', help: 'provider group that it must be in' },
  for: { type: 'string', value: 'SPAN', help: 'how long, for example 4h (until released)' },
  until: { type: 'string', value: 'TIME', help: 'end of the claim' },
  'dry-run': { type: 'boolean', help: 'only check' },
};

/** The resources and constraints of the claim options as one request group. */
export const requestGroup = (args: Args): RequestGroup => {
  const [cpus, memory, disk] = [args.string('cpus'), args.string('memory'), args.string('disk')];
  if (cpus !== undefined && !/^\d{1,6}$/.test(cpus)) {
    throw new UsageError(`--cpus: "${cpus}" is not a whole number`);
  }
  const resources = [
    ...(cpus === undefined ? [] : [{ resourceType: 'runm.cpu.shared', amount: BigInt(cpus) }]),
    ...(memory === undefined
      ? []
      : [{ resourceType: 'runm.memory', amount: parseSizeBytes(memory, '--memory') }]),
    ...(disk === undefined
      ? []
      : [{ resourceType: 'runm.storage.block', amount: parseSizeBytes(disk, '--disk') }]),
    ...(args.flag('whole') ? [{ resourceType: 'runm.machine.whole', amount: 1n }] : []),
  ];
  if (resources.length === 0) {
    throw new UsageError('nothing is claimed', 'give --cpus, --memory, --disk or --whole');
  }
  return create(RequestGroupSchema, {
    resources,
    capabilities: [
      create(SetConstraintSchema, {
        require: [...args.strings('require')],
        forbid: [...args.strings('forbid')],
      }),
    ],
    providerGroups: create(SetConstraintSchema, { require: [...args.strings('group')] }),
  });
};
