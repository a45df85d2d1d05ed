import test from 'ava';
import { parseDistance } from '../../../services/cli/distance-option.ts';
import { parseDistanceTo } from '../../../services/cli/distance-to.ts';
import { UsageError } from '../../../services/cli/usage-error.ts';

const read = test.macro({
  exec: (t, text: string, expected: string) => {
    const { type, minimum, maximum, kind, from } = parseDistance(text);
    t.is(`${type} [${minimum}…${maximum}] ${kind} ${from}`, expected);
  },
  title: (_, text: string) => `"${text}" is a distance`,
});
test(read, 'network<=same-row from group:rack1', 'network […same-row] group rack1');
test(read, 'network <= same-row  from  group:rack1', 'network […same-row] group rack1');
test(read, 'failure>=other-rack from claim:db', 'failure [other-rack…] claim db');
test(read, 'a.b=c-d from machine:web-1', 'a.b [c-d…c-d] machine web-1');
test(read, 'n>=x<=y from provider:p', 'n [x…y] provider p');
test(read, 'n<=y>=x from request:main', 'n [x…y] request main');

const refused = test.macro({
  exec: (t, text: string, why: RegExp) => {
    const error = t.throws(() => parseDistance(text), { instanceOf: UsageError });
    t.regex(error?.message ?? '', why);
    t.true(error?.message.includes(`"${text}"`));
    t.not(error?.cure, '');
  },
  title: (_, text: string) => `"${text}" is no distance, and it is said why`,
});
test(refused, '', /does not say from what/);
test(refused, 'network<=same-row', /does not say from what/);
test(refused, 'network from group:rack1', /does not say how far/);
test(refused, '<=same-row from group:rack1', /does not begin with a distance type/);
test(refused, 'network<same-row from group:rack1', /does not begin with a distance type and <=/);
test(refused, 'network<=a<=b from group:rack1', /has limits that cannot be read/);
test(refused, 'network<=Same from group:rack1', /has limits that cannot be read/);
test(refused, 'network<=a from rack1', /names no place in "rack1"/);
test(refused, 'network<=a from shelf:rack1', /names no place in "shelf:rack1"/);
test(refused, 'network<=a from group:', /names no place/);
test(refused, 'network<=a from group:a from group:b', /does not say from what/);

test('a declared distance names its type, step and group', (t) => {
  const { type, step, group } = parseDistanceTo('network=same-site to rack2');
  t.deepEqual([type, step, group], ['network', 'same-site', 'rack2']);
  for (const wrong of ['', 'network', 'network=a', 'network to rack2', 'network<=a to rack2']) {
    t.throws(() => parseDistanceTo(wrong), { message: /--distance/ });
  }
});
