/**
 * Constraints compiled once for all requests that ask for the same: most do, and requests that are
 * equal share their groups. What stands in one here are shapes and the sets by which providers are
 * listed, so it lasts until one of these comes or goes.
 */
import type { RequestGroup, ResourceRequest } from './claim.ts';
import type { Asked } from './constraint.ts';
import type { ProviderIndex } from './provider-index.ts';
import { type Selection, select } from './selection.ts';

type Compiled = { readonly selection: Selection; readonly version: number };
type Known = WeakMap<readonly ResourceRequest[], Compiled>;

const known = new WeakMap<ProviderIndex, Known>();

export const selectionOf = (index: ProviderIndex, asked: Asked): Selection => {
  if (asked.leftOut !== undefined || followsFromOthers(asked.group)) return select(index, asked);
  const those = known.get(index) ?? new WeakMap<readonly ResourceRequest[], Compiled>();
  const version = index.version();
  const before = those.get(asked.resources);
  if (before !== undefined && before.version === version && isSame(before.selection.asked, asked)) {
    return before.selection;
  }
  const selection = select(index, asked);
  known.set(index, those);
  those.set(asked.resources, { selection, version });
  return selection;
};

/** Whether it also depends on where things are that are no class of providers. */
const followsFromOthers = (group: RequestGroup): boolean =>
  group.providers.length > 0 ||
  group.inTree !== undefined ||
  (group.distances ?? []).length > 0 ||
  (group.isolateFromConsumers ?? []).length > 0;

const isSame = (before: Asked, asked: Asked): boolean =>
  before.group === asked.group &&
  before.isPart === asked.isPart &&
  before.spreadKind === asked.spreadKind;
