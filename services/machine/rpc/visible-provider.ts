import type { HandlerContext } from '@connectrpc/connect';
import { accessOf } from '../../runtime/context.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import { missing } from './rpc-deps.ts';

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');
const STATE = namePattern('partitions/{partition}/providers/{provider}/state');

type Deps = {
  readonly inventory: Pick<InventoryPort, 'findProvider'>;
  readonly pools: { readonly inPartition: (partition: string) => readonly ProviderView[] };
};

/**
 * The provider of that name, or of that name of its state, as inventory has it now or, while it
 * does not answer, as it was seen last; if the caller may know it. Errors: not_found.
 */
export const findVisibleProvider = async (
  { inventory, pools }: Deps,
  name: string,
  context: HandlerContext,
): Promise<ProviderView> => {
  const path = PROVIDER.parse(name) ?? STATE.parse(name);
  const asked = path && `partitions/${path.partition}/providers/${path.provider}`;
  const seen = (error: unknown): ProviderView | undefined => {
    const found = path && pools.inPartition(path.partition).find(isNamed(path.provider));
    if (found === undefined || !isDomainError(error, 'unavailable')) throw error;
    return found;
  };
  const found = asked && (await inventory.findProvider(asked, context.signal).catch(seen));
  if (!found || !accessOf(context).covers({ partition: found.partition })) {
    throw missing(name, 'runm.provider');
  }
  return found;
};

const isNamed =
  (nameOrUid: string) =>
  ({ name, uid }: ProviderView): boolean => {
    const key = nameOrUid.toLowerCase();
    return uid === key || name.slice(name.lastIndexOf('/') + 1).toLowerCase() === key;
  };
