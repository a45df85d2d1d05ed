import { create } from '@bufbuild/protobuf';
import { type Grant, GrantSchema } from '../../../gen/runmachine/identity/v1/grant_pb.ts';
import type { Args, Option } from '../command.ts';
import { atTop, lastSegment } from '../resource-names.ts';

/** "member in default", "operator on lab", "admin". */
export const grantText = (grant: Grant): string =>
  [
    lastSegment(grant.role),
    ...(grant.project ? [`in ${lastSegment(grant.project)}`] : []),
    ...(grant.partition ? [`on ${lastSegment(grant.partition)}`] : []),
  ].join(' ');

export const GRANT_OPTIONS: Readonly<Record<string, Option>> = {
  'in-project': { type: 'string', value: 'ID', help: 'only in this project' },
  'on-partition': { type: 'string', value: 'ID', help: 'only on this partition' },
};

export const grantFrom = (args: Args, role: string): Grant => {
  const [project, partition] = [args.string('in-project'), args.string('on-partition')];
  return create(GrantSchema, {
    role: atTop('roles', role),
    project: project === undefined ? '' : atTop('projects', project),
    partition: partition === undefined ? '' : atTop('partitions', partition),
  });
};
