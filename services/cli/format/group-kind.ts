import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import { UsageError } from '../usage-error.ts';

const KINDS: Readonly<Record<string, GroupKind>> = {
  site: GroupKind.SITE,
  row: GroupKind.ROW,
  rack: GroupKind.RACK,
  power: GroupKind.POWER,
  aggregate: GroupKind.AGGREGATE,
};

export const GROUP_KIND_WORDS = Object.keys(KINDS).join(', ');

export const parseGroupKind = (text: string, what: string): GroupKind => {
  const kind = KINDS[text.toLowerCase()];
  if (kind === undefined) {
    throw new UsageError(`${what}: "${text}" is no kind of group`, `one of ${GROUP_KIND_WORDS}`);
  }
  return kind;
};
