/** What a scan found, until an operator makes a provider of it. */
import { failedPrecondition } from '../../runtime/errors.ts';
import { type DiscoveryRecord, discoveryName } from './records.ts';

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
