/** Events about a provider that the system itself tells. */
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { aboutProvider, event } from '../domain/event.ts';
import type { Records } from '../ports.ts';

type Deps = {
  readonly records: Pick<Records, 'events'>;
  readonly clock: Clock;
  readonly random: Random;
};

type Named = Pick<ProviderView, 'partition' | 'name' | 'uid'>;

type Told = Parameters<typeof event>[1] & { readonly principal?: string };

export const tellOfProvider = async (
  { records, clock, random }: Deps,
  tx: Tx,
  { provider, told }: { readonly provider: Named; readonly told: Told },
): Promise<void> => {
  const nowMs = clock.now().getTime();
  const { principal = '', ...said } = told;
  await records.events.insert(tx, [
    {
      ...event(nowMs, said),
      ...aboutProvider(provider),
      uid: random.uid(),
      recordMs: nowMs,
      principal,
      operation: '',
    },
  ]);
};
