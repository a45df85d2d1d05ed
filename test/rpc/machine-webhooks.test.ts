/** Events go to real HTTP receivers: signed, in order, again until they are taken, never lost. */
import { createHmac } from 'node:crypto';
import test from 'ava';
import type { MachineTables } from '../../services/machine/store/tables.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { startSite } from './machine-fixture.ts';
import {
  begun,
  openStore,
  type Posted,
  QUICK,
  type Receiver,
  secretFile,
  startReceiver,
  tellOfClaim,
} from './machine-sink-fixture.ts';

const SECRET = 'correct horse battery staple';

const start = (receiver: Receiver, file: string, options: { replicas?: number } = {}) =>
  startSite({
    ...options,
    config: {
      ...QUICK,
      sinks: {
        webhooks: [{ id: 'crm', url: receiver.url, types: ['claim.*'], secretFile: file }],
      },
    },
  });

type Told = { readonly uid: string; readonly type: string; readonly target: string };

const told = ({ body }: Posted): Told => JSON.parse(body) as Told;

/** The claims that were taken, by their id. */
const claimsOf = (posts: readonly Posted[]): readonly string[] =>
  posts.map((one) => told(one).target.split('/').at(-1) ?? '');

test('an event is posted as JSON and signed so that its receiver can check it', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(`${SECRET}\n`);
  await using site = await start(receiver, secret.file);
  await begun(site);
  tellOfClaim(site, 'mine');
  await eventually(() => receiver.taken.length === 1);
  const [posted] = receiver.taken;
  if (posted === undefined) return t.fail();
  const { headers, body } = posted;
  t.like(told(posted), { type: 'claim.replaced', target: told(posted).target });
  t.is(headers['webhook-id'], told(posted).uid);
  t.is(headers['content-type'], 'application/json');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', SECRET).update(signed).digest('base64');
  t.is(headers['webhook-signature'], `v1,${expected}`);
  const ageMs = systemClock.now().getTime() - Number(headers['webhook-timestamp']) * 1_000;
  t.true(ageMs < 60_000);
});

test('a receiver that is away gets everything in order when it is back', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  receiver.answer = (response) => response.writeHead(503).end('later');
  for (const id of ['a', 'b', 'c']) tellOfClaim(site, id);
  await eventually(() => receiver.tries.length >= 3);
  t.deepEqual([...new Set(claimsOf(receiver.tries))], ['a'], 'none overtakes the one before');
  receiver.answer = (response) => response.destroy();
  const before = receiver.tries.length;
  await eventually(() => receiver.tries.length > before + 1);
  receiver.answer = undefined;
  await eventually(() => receiver.taken.length === 3);
  t.deepEqual(claimsOf(receiver.taken), ['a', 'b', 'c']);
  const ids = new Set(receiver.tries.map(({ headers }) => headers['webhook-id']));
  t.is(ids.size, 3, 'a repeat carries the id of the first try');
});

test('what a receiver does not want is left out after some tries', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  receiver.answer = (response, posted) => {
    if (claimsOf([posted])[0] === 'bad') response.writeHead(400).end('no such thing');
    else {
      receiver.taken.push(posted);
      response.writeHead(200).end();
    }
  };
  for (const id of ['bad', 'good']) tellOfClaim(site, id);
  await eventually(() => receiver.taken.length === 1);
  t.deepEqual(claimsOf(receiver.taken), ['good']);
  t.is(claimsOf(receiver.tries).filter((id) => id === 'bad').length, 3);
});

test('a redirect is not followed', async (t) => {
  await using receiver = await startReceiver();
  await using other = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  receiver.answer = (response) => response.writeHead(307, { location: other.url }).end();
  tellOfClaim(site, 'mine');
  await eventually(() => receiver.tries.length === 3);
  receiver.answer = undefined;
  tellOfClaim(site, 'next');
  await eventually(() => receiver.taken.length === 1);
  t.deepEqual(other.tries, []);
});

test('a restart loses nothing and sends nothing again', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  tellOfClaim(site, 'a');
  await eventually(() => receiver.taken.length === 1);
  receiver.answer = (response) => response.writeHead(500).end();
  tellOfClaim(site, 'b');
  await eventually(() => receiver.tries.length >= 2);
  await site.replicas[0]?.stop();
  receiver.answer = undefined;
  t.is(receiver.taken.length, 1);
  await site.add();
  tellOfClaim(site, 'c');
  await eventually(() => receiver.taken.length >= 3);
  t.deepEqual(claimsOf(receiver.taken).toSorted(), ['a', 'b', 'c']);
});

test('replicas do not send the same event both', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file, { replicas: 3 });
  await begun(site);
  const ids = Array.from({ length: 20 }, (_, at) => `c${at}`);
  for (const id of ids) tellOfClaim(site, id);
  await eventually(() => receiver.taken.length >= ids.length);
  await site.replicas[0]?.stop();
  tellOfClaim(site, 'last');
  await eventually(() => claimsOf(receiver.taken).includes('last'));
  await site.replicas[1]?.stop();
  tellOfClaim(site, 'very-last');
  await eventually(() => claimsOf(receiver.taken).includes('very-last'));
  t.deepEqual(claimsOf(receiver.taken).toSorted(), [...ids, 'last', 'very-last'].toSorted());
});

test('what a replica that died had in hand is brought by another when its lease is over', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  await site.replicas[0]?.stop();
  const untilMs = systemClock.now().getTime() + 1_500;
  const store = await openStore(site);
  await store.transaction(undefined, { principal: 'test', requestId: 'test' }, async (tx) => {
    const dead = { owner: 'dead', lease_until_ms: untilMs };
    await tx.kysely<MachineTables>().updateTable('event_sink').set(dead).execute();
  });
  await store.close();
  await site.add();
  tellOfClaim(site, 'mine');
  await eventually(() => receiver.taken.length > 0);
  t.true(systemClock.now().getTime() >= untilMs, 'not while the dead may still send');
  t.deepEqual(claimsOf(receiver.taken), ['mine']);
});

test('a sink that lags behind the feed goes on from the events', async (t) => {
  await using receiver = await startReceiver();
  using secret = secretFile(SECRET);
  await using site = await start(receiver, secret.file);
  await begun(site);
  receiver.answer = (response) => response.writeHead(500).end();
  for (const id of ['a', 'b']) tellOfClaim(site, id);
  await eventually(() => receiver.tries.length > 0);
  await site.replicas[0]?.stop();
  // The feed forgets everything, as it does after its retention.
  const store = await openStore(site, { changeRetentionMs: 0 });
  await store.sweep(AbortSignal.timeout(60_000));
  await store.close();
  receiver.answer = undefined;
  await site.add();
  await eventually(() => receiver.taken.length >= 2);
  tellOfClaim(site, 'c');
  await eventually(() => claimsOf(receiver.taken).includes('c'));
  t.deepEqual([...new Set(claimsOf(receiver.taken))], ['a', 'b', 'c']);
});

test('a wrong configuration is refused at the start and names what is wrong', async (t) => {
  await using receiver = await startReceiver();
  using open = secretFile(SECRET, 0o644);
  using secret = secretFile(SECRET);
  await t.throwsAsync(start(receiver, open.file), { message: /chmod 600/ });
  await t.throwsAsync(start(receiver, '/nonexistent/secret'), { message: /cannot be read/ });
  const withWebhook = (webhook: { url?: string; types?: string[] }) =>
    startSite({
      config: {
        sinks: {
          webhooks: [
            { id: 'x', url: receiver.url, types: ['*'], secretFile: secret.file, ...webhook },
          ],
        },
      },
    });
  await t.throwsAsync(withWebhook({ types: ['Claim!'] }), { message: /"Claim!" is no type/ });
  await t.throwsAsync(withWebhook({ url: 'ftp://a' }), { message: /no http\(s\) URL/ });
});
