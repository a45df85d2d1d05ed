import { create } from '@bufbuild/protobuf';
import { type Distance, DistanceSchema } from '../../gen/runmachine/inventory/v1/distance_pb.ts';
import type { Option } from './command.ts';
import { UsageError } from './usage-error.ts';

export const DISTANCE_OPTION: Option = {
  type: 'string',
  multiple: true,
  value: 'TEXT',
  help: 'how far it is from a group, for example "network=same-site to rack2"',
};

const PATTERN = /^\s*([a-z0-9._-]+)\s*=\s*([a-z0-9._-]+)\s+to\s+([A-Za-z0-9._-]+)\s*$/;

/** "network=same-site to rack2": a declared distance to a group. */
export const parseDistanceTo = (text: string): Distance => {
  const match = PATTERN.exec(text);
  if (!match) {
    throw new UsageError(
      `--distance: "${text}" is not TYPE=STEP to GROUP`,
      'for example "network=same-site to rack2"',
    );
  }
  const [, type = '', step = '', group = ''] = match;
  return create(DistanceSchema, { type, step, group });
};

export const distanceText = ({ type, step, group }: Distance): string =>
  `${type}=${step} to ${group}`;
