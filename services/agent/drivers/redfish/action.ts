import { BmcError } from '../../bmc-port.ts';
import type { Place } from './place.ts';
import { at, linkAt, listAt, type Resource, textAt, textsAt } from './resource.ts';

/** Actions of a resource (DSP0266, actions): where to post, and which values it takes. */
export type Action = {
  readonly target: string;
  /** Values that a parameter may have; empty = it does not say. */
  readonly allowed: (parameter: string, signal: AbortSignal) => Promise<readonly string[]>;
};

/** Undefined = the resource has no such action. */
export const actionOf = (
  resource: Resource,
  name: `#${string}.${string}`,
  { client }: Pick<Place, 'client'>,
): Action | undefined => {
  const action = at(resource, 'Actions', name);
  const target = textAt(action, 'target');
  if (target === '') return undefined;
  const allowed = async (parameter: string, signal: AbortSignal) => {
    const inline = textsAt(action, `${parameter}@Redfish.AllowableValues`);
    const info = linkAt(action, '@Redfish.ActionInfo');
    if (inline.length > 0 || info === '') return inline;
    const described = await client.find(info, signal);
    const found = listAt(described, 'Parameters').find((one) => textAt(one, 'Name') === parameter);
    return textsAt(found, 'AllowableValues');
  };
  return { target, allowed };
};

export type Choice = {
  /** What a person calls it. */
  readonly wish: string;
  /** Values in the order in which they are wanted. */
  readonly candidates: readonly string[];
  readonly allowed: readonly string[];
};

/** The first candidate that is allowed; throws unsupported naming what there is. */
export const chosen = ({ wish, candidates, allowed }: Choice): string => {
  const found = candidates.find((one) => allowed.includes(one));
  if (found !== undefined) return found;
  const takes = allowed.length === 0 ? 'nothing' : allowed.join(', ');
  throw new BmcError('unsupported', `The BMC does not offer ${wish}; it takes ${takes}`);
};
