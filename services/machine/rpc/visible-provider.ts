import type { HandlerContext } from '@connectrpc/connect';
import { accessOf } from '../../runtime/context.ts';
import { namePattern } from '../../runtime/names.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import { missing } from './rpc-deps.ts';

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');
const STATE = namePattern('partitions/{partition}/providers/{provider}/state');

type Deps = { readonly inventory: Pick<InventoryPort, 'findProvider'> };

/**
 * The provider of that name, or of that name of its state, as inventory has it now, if the caller
 * may know it. Errors: not_found.
 */
export const findVisibleProvider = async (
  { inventory }: Deps,
  name: string,
  context: HandlerContext,
): Promise<ProviderView> => {
  const path = PROVIDER.parse(name) ?? STATE.parse(name);
  const asked = path && `partitions/${path.partition}/providers/${path.provider}`;
  const found = asked && (await inventory.findProvider(asked, context.signal));
  if (!found || !accessOf(context).covers({ partition: found.partition })) {
    throw missing(name, 'runm.provider');
  }
  return found;
};
