import { type Catalogue, verb } from './catalogue-entry.ts';

const create = () => import('./commands/claim/create.ts');
const change = () => import('./commands/claim/change.ts');
const read = () => import('./commands/claim/read.ts');
const quota = () => import('./commands/quota.ts');

/** Who holds what, and how much one may. */
export const CLAIM_NOUNS: Catalogue = {
  claim: {
    summary: "a project's hold on resources",
    verbs: {
      create: verb('claim resources now', async () => (await create()).create),
      reserve: verb('claim resources for a time to come', async () => (await create()).reserve),
      candidates: verb(
        'where a request could be placed, best first',
        async () => (await import('./commands/claim/candidates.ts')).candidates,
      ),
      explain: verb(
        'whether a request fits, and what each constraint removes',
        async () => (await import('./commands/claim/explain.ts')).explain,
      ),
      windows: verb(
        'when a request would fit',
        async () => (await import('./commands/claim/windows.ts')).windows,
      ),
      calendar: verb(
        'a picture of who holds what when',
        async () => (await import('./commands/claim/calendar.ts')).calendar,
      ),
      extend: verb('move the end to a later time', async () => (await change()).extend),
      shorten: verb('move the end to an earlier time', async () => (await change()).shorten),
      release: verb('give back what a claim holds', async () => (await change()).release),
      transfer: verb(
        'give what a claim holds to another consumer',
        async () => (await change()).transfer,
      ),
      get: verb('show one claim', async () => (await read()).get),
      list: verb('list claims', async () => (await read()).list),
      watch: verb('show claims as they change', async () => (await read()).watch),
      allocations: verb(
        'list what is held, provider by provider',
        async () => (await import('./commands/claim/allocations.ts')).allocations,
      ),
    },
  },
  quota: {
    summary: 'what projects may claim',
    verbs: {
      get: verb('show a quota and its use', async () => (await quota()).get),
      list: verb('list quotas and their use', async () => (await quota()).list),
      set: verb('change limits', async () => (await quota()).set),
    },
  },
  usage: {
    summary: 'what was used',
    verbs: {
      show: verb(
        'sum amounts over a span of time',
        async () => (await import('./commands/usage.ts')).show,
      ),
    },
  },
};
