/** Which VM hosts are closed to claims because their agents are drained. */
import type { Reader } from '../store/sql/transaction.ts';
import { agentKeyOf, type ProviderView } from './domain/capacity.ts';
import { agentsOfHost, isDrainedHost } from './domain/drained.ts';
import type { Records } from './ports.ts';

/** Uids of those among the providers. */
export const drainedAmong = async (
  { agents }: Pick<Records, 'agents'>,
  reader: Reader,
  providers: readonly ProviderView[],
): Promise<ReadonlySet<string>> => {
  const keys = new Set(providers.flatMap(agentsOfHost));
  const rows = await agents.findManyByKey(reader, [...keys]);
  const byKey = new Map(rows.map((row) => [agentKeyOf(row), row]));
  return new Set(providers.filter((one) => isDrainedHost(one, byKey)).map(({ uid }) => uid));
};
