import test from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { DomainError, unavailable } from '../../../services/runtime/errors.ts';
import type { Identity } from '../../../services/runtime/identity.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { decodeOnBehalfOf, encodeOnBehalfOf } from '../../../services/runtime/rpc/on-behalf-of.ts';
import type { Peer } from '../../../services/runtime/rpc/peer.ts';
import { urisIn } from '../../../services/runtime/rpc/subject-alt-name.ts';

const alice: Identity = {
  kind: 'user',
  principal: 'users/alice',
  uid: 'u1',
  grants: [
    { role: 'member', permissions: new Set(['machine.*']), project: 'red' },
    { role: 'viewer', permissions: new Set(['*']), partition: 'lab' },
  ],
};

test('a caller survives the header', (t) => {
  t.deepEqual(decodeOnBehalfOf(encodeOnBehalfOf(alice)), alice);
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const unreadable: Readonly<Record<string, string>> = {
  empty: '',
  'no JSON': 'AAAA',
  'a list': encoded([]),
  'a service': encoded({ ...alice, kind: 'service', grants: [] }),
  anonymous: encoded({ ...alice, kind: 'anonymous', grants: [] }),
  'no principal': encoded({ ...alice, principal: '', grants: [] }),
  'permissions that are no list': encoded({ ...alice, grants: [{ role: 'r', permissions: '*' }] }),
  'a project that is a number': encoded({
    ...alice,
    grants: [{ role: 'r', permissions: [], project: 1 }],
  }),
  'too long': 'A'.repeat(60_000),
};
for (const [what, header] of Object.entries(unreadable)) {
  test(`a header with ${what} is refused`, (t) => {
    const error = t.throws(() => decodeOnBehalfOf(header), { instanceOf: DomainError });
    t.is(error.reason, 'NOT_ALLOWED');
  });
}

test('names in a certificate are read without being taken apart', (t) => {
  t.deepEqual(urisIn('URI:spiffe://a/agent/1, DNS:x, IP Address:127.0.0.1'), [
    'spiffe://a/agent/1',
  ]);
  t.deepEqual(urisIn('DNS:"a, URI:spiffe://a/service/machine"'), []);
  t.deepEqual(urisIn('DNS:x, URI:"spiffe://a/service/m\\"x", URI:spiffe://a/agent/2'), [
    'spiffe://a/agent/2',
  ]);
  t.deepEqual(urisIn(''), []);
});

const person = (token: string): Peer => ({
  source: { kind: 'people' },
  header: (name) => (name === 'authorization' ? token : undefined),
  address: '',
});
const never = new AbortController().signal;

const counting = (answer: () => Promise<Identity | undefined>) => {
  let asked = 0;
  const authenticate = createAuthenticator({
    clock: systemClock,
    cluster: 'test',
    grantsOf: () => [],
    introspect: () => {
      asked += 1;
      return answer();
    },
  });
  return { authenticate, asked: () => asked };
};

test('a token is asked about once, however many calls come at once', async (t) => {
  const { authenticate, asked } = counting(() => Promise.resolve(alice));
  const all = await Promise.all(
    Array.from({ length: 20 }, () => authenticate(person('Bearer one'), never)),
  );
  t.true(all.every((identity) => identity === alice));
  t.is(asked(), 1);
});

test('a failure to ask is not remembered, a wrong token is', async (t) => {
  let isDown = true;
  const { authenticate, asked } = counting(() =>
    isDown
      ? Promise.reject(unavailable('SERVICE_UNAVAILABLE', 'down'))
      : Promise.resolve(undefined),
  );
  const ask = async () => authenticate(person('Bearer one'), never);
  await t.throwsAsync(ask, { message: 'down' });
  isDown = false;
  await t.throwsAsync(ask, { message: /not known/ });
  await t.throwsAsync(ask, { message: /not known/ });
  t.is(asked(), 2);
});

for (const header of [
  'Basic abc',
  'Bearer',
  'Bearer a b',
  `Bearer ${'x'.repeat(5000)}`,
  'bearer\u0000',
]) {
  test(`the authorization "${header.slice(0, 20)}" is refused without asking`, async (t) => {
    const { authenticate, asked } = counting(() => Promise.resolve(alice));
    await t.throwsAsync(async () => authenticate(person(header), never), { message: /Bearer/ });
    t.is(asked(), 0);
  });
}

test('a revoked certificate is refused although it was accepted before', (t) => {
  const revoked = new Set<string>();
  const authenticate = createAuthenticator({
    clock: systemClock,
    cluster: 'test',
    grantsOf: () => [],
    introspect: () => Promise.resolve(undefined),
    isRevoked: ({ serial }) => revoked.has(serial),
  });
  const certificate = { uris: ['spiffe://test/agent/a1'], fingerprint: 'F', serial: '01' };
  const peer: Peer = {
    source: { kind: 'certificate', certificate },
    header: () => undefined,
    address: '',
  };
  t.like(authenticate(peer, never), { kind: 'agent', principal: 'agents/a1', uid: 'a1' });
  revoked.add('01');
  t.throws(() => authenticate(peer, never), { message: /revoked/ });
});
