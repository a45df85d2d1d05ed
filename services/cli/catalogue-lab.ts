import { type Catalogue, verb } from './catalogue-entry.ts';

/** The rack in a box that `npm start` brings up. */
export const LAB_NOUNS: Catalogue = {
  lab: {
    summary: 'the rack of virtual servers on this machine',
    verbs: {
      status: verb(
        'show its servers, where their controllers listen and what they do wrong',
        async () => (await import('./commands/lab/status.ts')).status,
      ),
      fault: verb(
        'let a controller misbehave, or behave again',
        async () => (await import('./commands/lab/fault.ts')).fault,
      ),
    },
  },
};
