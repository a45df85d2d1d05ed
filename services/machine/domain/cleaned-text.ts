import type { DecidedLife } from './provider-lifecycle.ts';

/** What is told of a cleaning that went well: a server that somebody closed is not free by it. */
export const cleanedText = (claim: string, state: DecidedLife | undefined): string => {
  const clean = `It is clean after ${claim}`;
  if (state === undefined || state === 'available') return `${clean}, and free again`;
  return `${clean}, which holds it no more; it stays ${state.replaceAll('_', ' ')}`;
};
