/** What a scan found, until an operator makes a provider of it. */
import { alreadyExists, type DomainError, failedPrecondition } from '../../runtime/errors.ts';
import {
  type DiscoveryRecord,
  discoveryName,
  type ProviderRecord,
  providerName,
} from './records.ts';

/** Errors: failed_precondition INVALID_STATE once it was made a provider. */
export const demandOpen = (record: DiscoveryRecord, provider: string): void => {
  if (record.state !== 'accepted') return;
  throw failedPrecondition(
    'INVALID_STATE',
    `${discoveryName(record)} was accepted already: it is ${provider}`,
    {
      metadata: { name: discoveryName(record), provider },
      invalidState: { state: 'ACCEPTED', allowed: ['PROPOSED', 'REJECTED'] },
    },
  );
};

/** The address of a controller in one spelling: two that are the same lead to the same one. */
export const addressKey = (address: string): string =>
  address
    .trim()
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '');

/** Keys of the same place: the ports of Redfish and IPMI need not be written. */
export const addressSpellings = (address: string): readonly string[] => {
  const key = addressKey(address);
  const [, host] = /^(\[[^\]]*\]|[^:/]+)(?::(?:443|623))?$/.exec(key) ?? [];
  return host === undefined ? [key] : [host, `${host}:443`, `${host}:623`];
};

type Placed = Pick<ProviderRecord, 'id' | 'partition'>;

/** Two providers at one controller would be one server that is given out twice. */
export const addressTaken = (record: Placed, address: string, holder: Placed): DomainError => {
  const [name, holderName] = [providerName(record), providerName(holder)];
  return alreadyExists(
    'ALREADY_EXISTS',
    `Cannot write ${name}: the controller at ${address} is that of ${holderName} already. ` +
      'Reject what was found, or change that record first',
    { metadata: { name, field: 'spec.bmc.address', address, holder: holderName } },
  );
};
