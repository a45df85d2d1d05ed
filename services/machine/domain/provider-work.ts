/** Which work the system does by itself at a provider. */
import { isControlled, type ProviderView } from './capacity.ts';
import { type ClaimView, WHOLE } from './claim.ts';
import { type HardwareTask, newTask } from './hardware-task.ts';
import type { Cleaning } from './provider-state.ts';

type Asked = {
  readonly uid: string;
  readonly cleaning: Pick<Cleaning, 'claim' | 'claimUid' | 'providerUid' | 'partition'>;
  /** Resource name of the provider. */
  readonly provider: string;
  /** Empty = the system. */
  readonly principal: string;
};

export const cleanTaskOf = (
  { uid, cleaning, provider, principal }: Asked,
  nowMs: number,
): HardwareTask => {
  const { claim, claimUid: subject, providerUid, partition } = cleaning;
  const data = { claim, provider };
  return newTask(
    { uid, kind: 'clean', providerUid, partition, subject, step: 'quiet', principal, data },
    nowMs,
  );
};

/**
 * Whether the system itself does what follows the end of a claim. Only where the claim had the
 * whole server: else it would switch off what others use. Without a hook and a controller there
 * is nothing that it could do.
 */
export const cleansAfter = (
  provider: ProviderView,
  claim: Pick<ClaimView, 'places'>,
  hasHook: boolean,
): boolean => {
  const hadWhole = claim.places.some(
    ({ providerUid, resourceType }) => providerUid === provider.uid && resourceType === WHOLE,
  );
  return provider.isMetal && hadWhole && (hasHook || isControlled(provider));
};
