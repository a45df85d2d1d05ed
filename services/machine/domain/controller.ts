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
