import test from 'ava';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import { findPlace } from '../../../services/scheduler/domain/place.ts';
import { CPU, constraint, factsOf, groupOf, type ProviderWish, stateWith } from './builders.ts';

const fleet = (...providers: readonly ProviderWish[]) => {
  const { setFacts, providers: index } = stateWith(providers);
  return {
    tell: (wish: ProviderWish) => setFacts(wish.uid, factsOf(wish)),
    place: (group: RequestGroup): string => {
      const spec = { count: 1, ranking: 'pack' as const, groups: [group] };
      const found = findPlace(index, { spec, window: { fromMs: 0, toMs: 10 }, seed: 'seed' });
      return found.kind === 'placed' ? (found.providers[0]?.uid ?? '') : found.kind;
    },
  };
};

test('a request that is asked once more finds a class of providers that came meanwhile', (t) => {
  const { tell, place } = fleet({ uid: 'a', offers: { [CPU]: 2 } });
  const wanted = groupOf({ [CPU]: 4 });
  t.is(place(wanted), 'none');
  tell({ uid: 'a', offers: { [CPU]: 8 }, generation: 2 });
  t.is(place(wanted), 'a');
  tell({ uid: 'a', offers: { [CPU]: 3 }, generation: 3 });
  t.is(place(wanted), 'none');
});

test('a request that is asked once more finds who joined and left its group meanwhile', (t) => {
  const here = { uid: 'a', offers: { [CPU]: 8 } };
  const { tell, place } = fleet(here);
  const wanted = groupOf({ [CPU]: 1 }, { providerGroups: constraint({ require: ['rack1'] }) });
  t.is(place(wanted), 'none');
  tell({ ...here, groups: ['rack1'] });
  t.is(place(wanted), 'a');
  tell(here);
  t.is(place(wanted), 'none');
});
