import { createContextKey } from '@connectrpc/connect';
import test from 'ava';
import { CallValues } from '../../../services/runtime/rpc/call-values.ts';

const word = createContextKey('default', { description: 'word' });
const count = createContextKey<number | undefined>(undefined);

test('values are kept by key, and a key without one has its default', (t) => {
  const values = new CallValues();
  t.is(values.get(word), 'default');
  t.is(values.set(word, 'set').set(count, 2), values);
  t.is(values.get(word), 'set');
  t.is(values.get(count), 2);
  values.set(word, 'again');
  t.is(values.get(word), 'again');
  values.delete(word);
  t.is(values.get(word), 'default');
  t.is(values.get(count), 2);
});

test('undefined is a value too', (t) => {
  const optional = createContextKey<string | undefined>('default');
  t.is(new CallValues().set(optional, undefined).get(optional), undefined);
});
