import { failedPrecondition } from '../../runtime/errors.ts';
import type { ControllerView, ProviderView } from './capacity.ts';

/** Errors: failed_precondition NO_CONTROLLER. */
export const demandController = ({ controller, bmcAgents, name }: ProviderView): ControllerView => {
  if (controller === null) throw noController(name, 'it names no management controller');
  if (bmcAgents.length === 0) throw noController(name, 'no agents with the role bmc serve it');
  return controller;
};

const noController = (name: string, why: string) =>
  failedPrecondition(
    'NO_CONTROLLER',
    `Nothing can be done at the controller of "${name}": ${why}`,
    {
      metadata: { name },
    },
  );

/**
 * Names of those whose controllers are others and have the same secret. Parts of one enclosure have
 * one controller, with one account.
 */
export const sharersOf = (
  { uid, controller }: Pick<ProviderView, 'uid' | 'controller'>,
  all: readonly Pick<ProviderView, 'uid' | 'name' | 'controller'>[],
): readonly string[] => {
  if (controller === null || controller.secret === '') return [];
  const secret = controller.secret.toLowerCase();
  const host = hostOf(controller.address);
  return all
    .filter((one) => one.uid !== uid && one.controller?.secret.toLowerCase() === secret)
    .filter((one) => hostOf(one.controller?.address ?? '') !== host)
    .map(({ name }) => name.slice(name.lastIndexOf('/') + 1));
};

/** Of an address as records have it: a URL, a name or an address, perhaps with a port. */
const hostOf = (address: string): string =>
  address
    .toLowerCase()
    .replace(/^[a-z+]+:\/\//, '')
    .replace(/[/?#].*$/, '')
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^([^:]*):\d+$/, '$1');
