/**
 * A provider on which something runs that is not ours (INV-15): it is recorded and read, and no
 * claim, reboot, boot device, medium, setting or cleaning disturbs it, whoever asks.
 */
import { type DomainError, failedPrecondition } from '../../runtime/errors.ts';
import type { ProviderView } from './capacity.ts';

const DISTURBING: ReadonlySet<string | undefined> = new Set([
  'changePower',
  'setBootDevice',
  'insertMedia',
  'ejectMedia',
  'setBios',
  'raw',
]);

type Flagged = Pick<ProviderView, 'name' | 'isNeverProvisioned'>;

/** Errors: failed_precondition NEVER_PROVISION. */
export const demandProvisionable = (provider: Flagged): void => {
  if (provider.isNeverProvisioned) throw neverProvision(provider);
};

/** Errors: failed_precondition NEVER_PROVISION for work that disturbs what runs there. */
export const demandUndisturbed = (
  provider: Flagged,
  work: { readonly case?: string | undefined },
): void => {
  if (DISTURBING.has(work.case)) demandProvisionable(provider);
};

const neverProvision = ({ name }: Flagged): DomainError =>
  failedPrecondition(
    'NEVER_PROVISION',
    `"${name}" is never to be provisioned (spec.never_provision): nothing disturbs what runs on it`,
    { metadata: { name } },
  );
