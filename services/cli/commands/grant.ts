import { create } from '@bufbuild/protobuf';
import { type Grant, GrantSchema } from '../../../gen/runmachine/identity/v1/grant_pb.ts';
import type { Args, Option } from '../command.ts';
import { atTop, lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

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
  // With these a person says where he works; taken so, the grant would hold everywhere.
  for (const [name, meant] of [
    ['project', 'in-project'],
    ['partition', 'on-partition'],
  ] as const) {
    const given = args.string(name);
    if (given === undefined || args.string(meant) !== undefined) continue;
    throw new UsageError(
      `--${name} does not narrow a role`,
      `write --${meant} ${given}; without it the role is for everywhere`,
    );
  }
  const [project, partition] = [args.string('in-project'), args.string('on-partition')];
  return create(GrantSchema, {
    role: atTop('roles', role),
    project: project === undefined ? '' : atTop('projects', project),
    partition: partition === undefined ? '' : atTop('partitions', partition),
  });
};
