/**
 * Whether the controllers of providers take what their secrets say: what an agent was told there
 * becomes the provider's problem and a line of its timeline, once, and another when it is over.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';
import { tellOfProvider } from './provider-story.ts';

export type CredentialNews = {
  /** Never rejects: it is beside what somebody asked for. */
  readonly refused: (provider: ProviderView, message: string) => Promise<void>;
  readonly accepted: (provider: ProviderView) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'events'>;
  readonly inventory: Pick<InventoryPort, 'recordFacts'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

const ACTOR = { principal: 'services/machine', requestId: 'credentials' };
/** What was written is in the view of the provider by then. */
const ON_ITS_WAY_MS = 10_000;
const CALL_MS = 5_000;

export const createCredentialNews = (deps: Deps): CredentialNews => {
  const written = new Map<string, { readonly refuses: boolean; readonly untilMs: number }>();
  const become = async (provider: ProviderView, refuses: boolean, message: string) => {
    const { uid, refusesCredentials } = provider;
    const nowMs = deps.clock.monotonicMs();
    const recent = written.get(uid);
    if (recent !== undefined && recent.untilMs <= nowMs) written.delete(uid);
    if ((written.get(uid)?.refuses ?? refusesCredentials) === refuses) return;
    written.set(uid, { refuses, untilMs: nowMs + ON_ITS_WAY_MS });
    try {
      await write(deps, provider, refuses ? message : undefined);
    } catch (error) {
      written.delete(uid);
      deps.log.warn({ err: error, provider: uid }, 'whether credentials work is not written down');
    }
  };
  return {
    refused: (provider, message) => become(provider, true, message),
    accepted: (provider) => become(provider, false, ''),
  };
};

const write = async (
  deps: Deps,
  provider: ProviderView,
  refusal: string | undefined,
): Promise<void> => {
  const seen = {
    ...{ provider: provider.name, facts: undefined, certificateSha256: '' },
    observeMs: deps.clock.now().getTime(),
  };
  const problem = refusal === undefined ? undefined : { reason: REFUSED, message: refusal };
  await deps.inventory.recordFacts({ ...seen, problem }, AbortSignal.timeout(CALL_MS));
  const told =
    refusal === undefined
      ? { type: 'provider.credentials_accepted', message: 'Its controller lets us in again' }
      : {
          ...{ type: 'provider.credentials_refused', severity: 'error' as const },
          message: `Its controller lets nobody in: ${refusal}`,
        };
  await deps.store.transaction(undefined, ACTOR, (tx) =>
    tellOfProvider(deps, tx, { provider, told }),
  );
};

export const REFUSED = 'BMC_UNAUTHORIZED';
