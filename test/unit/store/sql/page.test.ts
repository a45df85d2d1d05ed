import test from 'ava';
import { isDomainError } from '../../../../services/runtime/errors.ts';
import {
  checkEtag,
  closePage,
  etagOf,
  openPage,
  type PageRequest,
} from '../../../../services/store/sql/page.ts';

const request = (more: Partial<PageRequest> = {}): PageRequest => ({
  pageSize: 0,
  pageToken: '',
  otherArguments: { parent: 'partitions/p' },
  incarnation: 1,
  sizeDefault: 50,
  sizeMax: 1_000,
  ...more,
});

test('no page size is the default, and a larger one is cut to the maximum', (t) => {
  t.is(openPage(request()).size, 50);
  t.is(openPage(request({ pageSize: 7 })).size, 7);
  t.is(openPage(request({ pageSize: 5_000 })).size, 1_000);
});

test('a token continues behind the last row of its page', (t) => {
  const page = openPage(request({ pageSize: 2 }));
  const { rows, nextPageToken } = closePage(page, ['a', 'b', 'c'], (row) => [row, 1]);
  t.deepEqual(rows, ['a', 'b']);
  t.deepEqual(openPage(request({ pageToken: nextPageToken })).after, ['b', 1]);
});

test('the last page has no token, also when it is exactly full', (t) => {
  const page = openPage(request({ pageSize: 2 }));
  t.is(closePage(page, ['a', 'b'], (row) => [row]).nextPageToken, '');
  t.is(closePage(page, [] as string[], (row) => [row]).nextPageToken, '');
});

test('other arguments are recognised whatever the order of their fields', (t) => {
  const token = openPage(request({ otherArguments: { a: 1, b: { c: 2n, d: [1] } } })).tokenAt([
    'x',
  ]);
  const again = { otherArguments: { b: { d: [1], c: 2n }, a: 1 }, pageToken: token };
  t.deepEqual(openPage(request(again)).after, ['x']);
  const changed = { otherArguments: { b: { d: [1], c: 3n }, a: 1 }, pageToken: token };
  const error = t.throws(() => openPage(request(changed)));
  t.true(isDomainError(error, 'invalid_argument', 'PAGE_TOKEN_MISMATCH'));
});

test('another page size is allowed with the same token', (t) => {
  const pageToken = openPage(request({ pageSize: 2 })).tokenAt(['x']);
  t.is(openPage(request({ pageSize: 3, pageToken })).size, 3);
});

test('a token from before a restore has expired', (t) => {
  const pageToken = openPage(request()).tokenAt(['x']);
  const error = t.throws(() => openPage(request({ pageToken, incarnation: 2 })));
  t.true(isDomainError(error, 'out_of_range', 'PAGE_TOKEN_EXPIRED'));
});

test('a garbled token is refused', (t) => {
  const bodies = [
    '1',
    '[]',
    '[1,1,"h"]',
    '[2,1,"h",["x"]]',
    '[1,1,"h",[{"a":1}]]',
    '[1,1,"h",[null]]',
  ];
  const tokens = bodies.map((body) => Buffer.from(body).toString('base64url'));
  for (const pageToken of [...tokens, '%', 'x'.repeat(100_000), '\u0000']) {
    const error = t.throws(() => openPage(request({ pageToken })));
    t.true(isDomainError(error, 'invalid_argument', 'PAGE_TOKEN_INVALID'));
  }
});

test('an etag is of one version of one row in one incarnation', (t) => {
  const etag = etagOf({ uid: 'u-1', version: 1 }, 1);
  t.is(etagOf({ uid: 'u-1', version: 1 }, 1), etag);
  t.not(etagOf({ uid: 'u-1', version: 2 }, 1), etag);
  t.not(etagOf({ uid: 'u-2', version: 1 }, 1), etag);
  t.not(etagOf({ uid: 'u-1', version: 1 }, 2), etag);
});

test('a wrong etag is refused with the current one, a missing one passes', (t) => {
  checkEtag('', 'now');
  checkEtag('now', 'now');
  const error = t.throws(() => checkEtag('then', 'now'));
  t.true(isDomainError(error, 'aborted', 'ETAG_MISMATCH') && error.metadata.etag === 'now');
});
