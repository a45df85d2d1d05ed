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

export const discreetText = (text: string, address: string): string =>
  hiddenOf(address).reduce((clean, hidden) => clean.replaceAll(hidden, '(its controller)'), text);

export const discreetEvent = (draft: EventDraft, address: string): EventDraft => ({
  ...draft,
  message: discreetText(draft.message, address),
  data: Object.fromEntries(
    Object.entries(draft.data).map(([key, value]) => [key, discreetText(value, address)]),
  ),
});

export const discreetSight = (seen: Observed, address: string): Observed =>
  seen.problem === null
    ? seen
    : {
        ...seen,
        problem: { ...seen.problem, message: discreetText(seen.problem.message, address) },
      };
