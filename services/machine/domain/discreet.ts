/**
 * What an agent says about a server goes to its tenant, who must not learn where its controller is.
 * Agents leave addresses out; this makes sure of it.
 */
import type { EventDraft } from './event.ts';
import type { Observed } from './machine.ts';

/** The address as it stands there, and the host in it. */
const hiddenOf = (address: string): readonly string[] => {
  const host = address
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/?#].*$/, '')
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^([^:]*):\d+$/, '$1');
  return [address, host].filter((text) => text.length > 2);
};

export const discreetText = (text: string, addresses: readonly string[]): string =>
  addresses
    .flatMap(hiddenOf)
    .reduce((clean, hidden) => clean.replaceAll(hidden, '(its controller)'), text);

export const discreetEvent = (draft: EventDraft, addresses: readonly string[]): EventDraft => ({
  ...draft,
  message: discreetText(draft.message, addresses),
  data: Object.fromEntries(
    Object.entries(draft.data).map(([key, value]) => [key, discreetText(value, addresses)]),
  ),
});

export const discreetSight = (seen: Observed, addresses: readonly string[]): Observed =>
  seen.problem === null
    ? seen
    : {
        ...seen,
        problem: { ...seen.problem, message: discreetText(seen.problem.message, addresses) },
      };
