import test from 'ava';
import { cleanedText } from '../../../services/machine/domain/cleaned-text.ts';

test('a server is told to be free only where nobody closed it', (t) => {
  t.is(cleanedText('claims/web', 'available'), 'It is clean after claims/web, and free again');
  t.is(cleanedText('claims/web', undefined), 'It is clean after claims/web, and free again');
  const held = 'It is clean after claims/web, which holds it no more; it stays';
  t.is(cleanedText('claims/web', 'quarantined'), `${held} quarantined`);
  t.is(cleanedText('claims/web', 'inspect_failed'), `${held} inspect failed`);
});
