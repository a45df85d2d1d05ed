import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ProviderLifeState,
  type ProviderState as ProviderStateMessage,
  ProviderStateSchema,
} from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import { deadlineOf } from '../domain/provider-deadline.ts';
import type { ProviderLife } from '../domain/provider-lifecycle.ts';
import { type Cleaning, type ProviderState, shownLife } from '../domain/provider-state.ts';
import { given, problemMessage } from './machine-message.ts';

const LIVES: Readonly<Record<ProviderLife, ProviderLifeState>> = {
  enrolled: ProviderLifeState.ENROLLED,
  inspecting: ProviderLifeState.INSPECTING,
  inspect_failed: ProviderLifeState.INSPECT_FAILED,
  available: ProviderLifeState.AVAILABLE,
  in_use: ProviderLifeState.IN_USE,
  releasing: ProviderLifeState.RELEASING,
  cleaning: ProviderLifeState.CLEANING,
  clean_failed: ProviderLifeState.CLEAN_FAILED,
  maintenance: ProviderLifeState.MAINTENANCE,
  quarantined: ProviderLifeState.QUARANTINED,
  retired: ProviderLifeState.RETIRED,
};

export type ShownState = {
  /** Resource name of the provider. */
  readonly provider: string;
  readonly known: ProviderState;
  readonly cleanings: readonly Cleaning[];
  /** Whether a claim holds it; undefined = not known, as the scheduler could not be asked. */
  readonly inUse: boolean | undefined;
  /** What a cleaning may take; undefined = nothing is configured that cleans. */
  readonly cleaningMs: number | undefined;
};

export const stateEtag = (known: ProviderState, incarnation: number): string =>
  etagOf({ uid: known.providerUid, version: known.version }, incarnation);

export const providerStateMessage = (
  { provider, known, cleanings, inUse, cleaningMs }: ShownState,
  incarnation: number,
): ProviderStateMessage => {
  const life = shownLife(known.state, cleanings, inUse ?? false);
  const problem = known.problem ?? cleanings.find((one) => one.problem !== null)?.problem ?? null;
  const endMs = deadlineOf(life, { known, cleanings, cleaningMs });
  return create(ProviderStateSchema, {
    name: `${provider}/state`,
    providerUid: known.providerUid,
    etag: stateEtag(known, incarnation),
    ...(known.sinceMs > 0 && { updateTime: timestampFromMs(known.sinceMs) }),
    state: LIVES[life],
    reason: known.reason,
    principal: known.principal,
    inUse: inUse ?? false,
    useUnknown: inUse === undefined,
    drained: known.state === 'available' && known.isDrained,
    cleanings: cleanings.map((one) => ({
      claim: one.claim,
      since: timestampFromMs(one.sinceMs),
      state: LIVES[one.life],
      ...given('problem', problemMessage(one.problem)),
    })),
    ...given('problem', problemMessage(problem)),
    ...(endMs !== undefined && { deadline: timestampFromMs(endMs) }),
  });
};
