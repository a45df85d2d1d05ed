/** Mail about events, to a real SMTP server. */
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { SMTPServer } from 'smtp-server';
import type { MachineConfig } from '../../services/machine/main.ts';
import { eventually } from '../support/eventually.ts';
import { startSite } from './machine-fixture.ts';
import { begun, QUICK, secretFile, tellOfClaim } from './machine-sink-fixture.ts';

type Letter = { readonly to: string; readonly text: string };

type Post = {
  readonly port: number;
  readonly letters: Letter[];
  /** Recipients that were named, whether or not they were taken. */
  readonly asked: string[];
  /** What a recipient is answered with instead. */
  readonly refuse: Map<string, number>;
  readonly logins: string[];
  /** How often somebody connected. */
  readonly visits: () => number;
};

const startPost = async (
  t: ExecutionContext,
  options: { readonly withLogin?: boolean } = {},
): Promise<Post> => {
  const letters: Letter[] = [];
  const asked: string[] = [];
  const logins: string[] = [];
  const refuse = new Map<string, number>();
  let visits = 0;
  const server = new SMTPServer({
    onConnect: (_, done) => {
      visits += 1;
      done();
    },
    disabledCommands: options.withLogin === true ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
    ...(options.withLogin === true && { allowInsecureAuth: true }),
    onAuth: ({ username = '', password = '' }, _, done) => {
      logins.push(`${username}:${password}`);
      done(null, { user: username });
    },
    onRcptTo: ({ address }, _, done) => {
      asked.push(address);
      const code = refuse.get(address);
      if (code === undefined) return done();
      done(Object.assign(new Error('not now or never'), { responseCode: code }));
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const text = Buffer.concat(parts).toString();
        for (const { address } of session.envelope.rcptTo) letters.push({ to: address, text });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo;
  return { port, letters, asked, refuse, logins, visits: () => visits };
};

type Mail = NonNullable<NonNullable<MachineConfig['sinks']>['mail']>;

const start = async (port: number, mail: Partial<Mail> = {}) => {
  const site = await startSite({
    config: {
      ...QUICK,
      sinks: {
        webhooks: [],
        mail: {
          host: '127.0.0.1',
          port,
          security: 'none',
          user: '',
          passwordFile: '',
          from: 'runm@example.org',
          to: ['ops@example.org'],
          types: ['claim.*'],
          ...mail,
        },
      },
    },
  });
  site.neighbours.contacts.push('ann@example.org', 'Ops@example.org');
  await begun(site);
  return site;
};

const lettersOf = (post: Post): readonly Letter[] =>
  post.letters.filter(({ text }) => /^Subject: claim\.replaced: mine/m.test(text));

test('contacts of the project and configured addresses get a letter each', async (t) => {
  const post = await startPost(t);
  await using site = await start(post.port);
  tellOfClaim(site, 'mine');
  await eventually(() => lettersOf(post).length === 2);
  const letters = lettersOf(post);
  t.deepEqual(letters.map(({ to }) => to).toSorted(), ['ann@example.org', 'ops@example.org']);
  for (const { to, text } of letters) {
    t.regex(text, /^From: runm@example\.org/m);
    t.regex(text, /^Subject: claim\.replaced: mine/m);
    t.regex(text, /A provider was lost before its window/);
    t.regex(text, /object: partitions\/lab\/projects\/red\/claims\/mine/);
    t.is(text.includes('ann@example.org'), to === 'ann@example.org', 'nobody sees the others');
  }
});

test('who cannot be reached now gets his later, who never can is left out', async (t) => {
  const post = await startPost(t);
  await using site = await start(post.port, { to: ['gone@example.org', 'full@example.org'] });
  post.refuse.set('gone@example.org', 550);
  post.refuse.set('full@example.org', 451);
  tellOfClaim(site, 'mine');
  await eventually(() => post.asked.filter((one) => one === 'full@example.org').length >= 2);
  post.refuse.delete('full@example.org');
  await eventually(() => lettersOf(post).some(({ to }) => to === 'full@example.org'));
  await eventually(() => lettersOf(post).some(({ to }) => to === 'ann@example.org'));
  const reached = lettersOf(post).map(({ to }) => to);
  t.is(new Set(reached).size, reached.length, 'nobody gets it twice');
  t.false(reached.includes('gone@example.org'));
});

test('a mailbox that is full for long keeps no later event from the others', async (t) => {
  const post = await startPost(t);
  await using site = await start(post.port, { to: ['full@example.org'] });
  post.refuse.set('full@example.org', 452);
  const ofAnn = (id: string) =>
    post.letters.some(({ to, text }) => to === 'ann@example.org' && text.includes(`claims/${id}`));
  tellOfClaim(site, 'first');
  await eventually(() => ofAnn('first'));
  tellOfClaim(site, 'second');
  await eventually(() => ofAnn('second'));
  t.false(post.letters.some(({ to }) => to === 'full@example.org'));
  post.refuse.delete('full@example.org');
  await eventually(() => post.letters.filter(({ to }) => to === 'full@example.org').length >= 2);
});

test('a letter waits for a server that encrypts where that is demanded', async (t) => {
  const post = await startPost(t);
  await using site = await start(post.port, { security: 'starttls' });
  tellOfClaim(site, 'mine');
  await eventually(() => post.visits() >= 3, { message: 'it tries and tries' });
  t.deepEqual(post.letters, []);
  t.deepEqual(post.asked, []);
});

test('it logs in with the password of its file', async (t) => {
  const post = await startPost(t, { withLogin: true });
  using secret = secretFile('open sesame\n');
  await using site = await start(post.port, { user: 'runm', passwordFile: secret.file });
  tellOfClaim(site, 'mine');
  await eventually(() => lettersOf(post).length > 0);
  t.true(post.logins.includes('runm:open sesame'));
});
