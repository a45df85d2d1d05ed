import { type Filter, noneOf } from '../constraint.ts';
import { heldByConsumer } from '../distance.ts';

/** Keeps providers of which certain other consumers hold nothing. */
export const otherConsumersFilter: Filter = {
  name: 'other-consumers',
  constraints: ({ group }, index) =>
    (group.isolateFromConsumers ?? []).map((uid) =>
      noneOf(`not with consumer ${uid}`, [heldByConsumer(index, uid)]),
    ),
};
