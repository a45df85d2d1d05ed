import type { BmcIdentity } from '../../../services/agent/drivers/redfish/quirk.ts';

/** A controller that nothing is known of. */
export const UNKNOWN: BmcIdentity = {
  vendor: 'Contoso',
  model: 'Server 1',
  product: 'Controller',
  firmware: '1.0',
  systems: ['/redfish/v1/Systems/1'],
};
