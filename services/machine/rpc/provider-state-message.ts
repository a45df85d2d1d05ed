import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ProviderLifeState,
  type ProviderState as ProviderStateMessage,
  ProviderStateSchema,
} from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import type { Cleaning, ProviderLife, ProviderState } from '../domain/provider-state.ts';

const LIVES: Readonly<Record<ProviderLife, ProviderLifeState>> = {
  enrolled: ProviderLifeState.ENROLLED,
  available: ProviderLifeState.AVAILABLE,
  maintenance: ProviderLifeState.MAINTENANCE,
  quarantined: ProviderLifeState.QUARANTINED,
};

export type ShownState = {
  /** Resource name of the provider. */
  readonly provider: string;
  readonly known: ProviderState;
  readonly cleanings: readonly Cleaning[];
  readonly inUse: boolean;
};

export const stateEtag = (known: ProviderState, incarnation: number): string =>
  etagOf({ uid: known.providerUid, version: known.version }, incarnation);

export const providerStateMessage = (
  { provider, known, cleanings, inUse }: ShownState,
  incarnation: number,
): ProviderStateMessage =>
  create(ProviderStateSchema, {
    name: `${provider}/state`,
    providerUid: known.providerUid,
    etag: stateEtag(known, incarnation),
    ...(known.sinceMs > 0 && { updateTime: timestampFromMs(known.sinceMs) }),
    state: lifeOf(known.state, cleanings.length > 0, inUse),
    reason: known.reason,
    principal: known.principal,
    inUse,
    cleanings: cleanings.map(({ claim, sinceMs }) => ({ claim, since: timestampFromMs(sinceMs) })),
  });

/** What an operator said goes before what the claims say. */
const lifeOf = (state: ProviderLife, isAwaited: boolean, inUse: boolean): ProviderLifeState => {
  if (state === 'maintenance' || state === 'quarantined') return LIVES[state];
  if (isAwaited) return ProviderLifeState.CLEANING;
  return state === 'available' && inUse ? ProviderLifeState.IN_USE : LIVES[state];
};
