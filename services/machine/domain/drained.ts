/**
 * A VM host whose agents take no new work is closed to claims, and open again when one of them
 * does: it follows from the agents' rows, so that it is so whatever else an operator decided about
 * the host meanwhile. Machines on it go on.
 */
import { agentKey, type ProviderView } from './capacity.ts';
import { opensItself } from './provider-state.ts';

type Hosted = Pick<ProviderView, 'isVmHost' | 'vmAgents'>;

/** `agents` by lower-case name; those that never connected are not among them. */
export const isDrainedHost = (
  host: Hosted,
  agents: ReadonlyMap<string, { readonly isDrained?: boolean }>,
): boolean => {
  if (!opensItself(host)) return false;
  const known = host.vmAgents.flatMap((name) => agents.get(agentKey(name)) ?? []);
  return known.length > 0 && known.every(({ isDrained }) => isDrained === true);
};

/** The agents that have to be known to tell. */
export const agentsOfHost = (host: Hosted): readonly string[] =>
  opensItself(host) ? host.vmAgents.map(agentKey) : [];
