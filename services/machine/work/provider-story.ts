/** Events about a provider that the system itself tells. */
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { aboutProvider, type EventDraft, event } from '../domain/event.ts';
import {
  conflictBegan,
  conflictEnded,
  type IdentifierConflict,
} from '../domain/identifier-conflict.ts';
import type { Records } from '../ports.ts';

type Deps = {
  readonly records: Pick<Records, 'events'>;
  readonly clock: Clock;
  readonly random: Random;
};

type Named = Pick<ProviderView, 'partition' | 'name' | 'uid'>;

type Told = Parameters<typeof event>[1] & { readonly principal?: string };

export const tellOfProvider = async (
  deps: Deps,
  tx: Tx,
  { provider, told }: { readonly provider: Named; readonly told: Told },
): Promise<void> => {
  const nowMs = deps.clock.now().getTime();
  const { principal = '', ...said } = told;
  await tell(deps, tx, { provider, drafts: [event(nowMs, said)], principal });
};

type Conflicting = {
  readonly provider: Named;
  /** What of its identifiers others have now. */
  readonly conflicts: readonly IdentifierConflict[];
};

/** Tells each conflict once, and when it is over. */
export const tellOfConflicts = async (
  deps: Deps & { readonly records: Pick<Records, 'conflicts'> },
  tx: Tx,
  { provider, conflicts }: Conflicting,
): Promise<void> => {
  const { began, ended } = await deps.records.conflicts.replace(tx, provider.uid, conflicts);
  const nowMs = deps.clock.now().getTime();
  const drafts = [
    ...ended.map((one) => conflictEnded(nowMs, provider, one)),
    ...began.map((one) => conflictBegan(nowMs, provider, one)),
  ];
  if (drafts.length > 0) await tell(deps, tx, { provider, drafts, principal: '' });
};

type Telling = {
  readonly provider: Named;
  readonly drafts: readonly EventDraft[];
  readonly principal: string;
};

const tell = async (
  { records, clock, random }: Deps,
  tx: Tx,
  { provider, drafts, principal }: Telling,
): Promise<void> => {
  const recordMs = clock.now().getTime();
  const about = { ...aboutProvider(provider), recordMs, principal, operation: '' };
  await records.events.insert(
    tx,
    drafts.map((draft) => ({ ...draft, ...about, uid: random.uid() })),
  );
};
