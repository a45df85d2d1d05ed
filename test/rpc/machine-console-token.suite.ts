/** Consoles for whoever has a token of one machine and no account. */

import { Code, ConnectError } from '@connectrpc/connect';
import type { Identity } from '../../services/runtime/identity.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { type ConsoleSubject, start as startConsoleSite } from './machine-console.suite.ts';
import type { Clients } from './machine-fixture.ts';
import {
  clientsOf,
  connectAgent,
  createMachine,
  PROJECT,
  type Site,
  uuid,
} from './machine-fixture.ts';

const NAME = `${PROJECT}/machines/web-1`;
const WRONG = { kind: 'unauthenticated', reason: 'BAD_CREDENTIALS' } as const;

const at = (site: Site, index: number, token?: string): Clients => {
  const replica = site.replicas[index];
  if (replica === undefined) throw new Error('no such replica');
  return clientsOf(replica.asPerson(token));
};

/** Somebody at a console by a token: what was printed, and how it ended. */
const watch = ({ consoles }: Clients, token: string) => {
  const leave = new AbortController();
  const seen = { sessionId: '', readOnly: false, printed: '', closed: '' };
  const run = async () => {
    for await (const { content } of consoles.watchConsoleByToken(
      { token },
      { signal: leave.signal },
    )) {
      const part = content?.content;
      if (part?.case === 'opened') {
        seen.sessionId = part.value.sessionId;
        seen.readOnly = part.value.readOnly;
      }
      if (part?.case === 'data') seen.printed += Buffer.from(part.value).toString();
      if (part?.case === 'closed') seen.closed = part.value;
    }
  };
  const ended = run().catch((error: unknown) => error);
  return { seen, ended, leave: () => leave.abort() };
};

export const machineConsoleTokenSuite = (subject: ConsoleSubject): void => {
  const { test, what, index } = subject;
  test(`a stranger with a token types at that console alone through ${what}`, async (t) => {
    await using site = await startConsoleSite(subject);
    const agent = await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const { token, expireTime } = await red.consoles.issueConsoleToken({ name: NAME });
    t.regex(token, /^rct_[\w-]{43}$/);
    t.true(expireTime !== undefined);
    const stranger = at(site, index);
    const { seen, ended, leave } = watch(stranger, token);
    await eventually(() => seen.sessionId !== '');
    const typed = { token, sessionId: seen.sessionId, data: Buffer.from('ls') };
    await stranger.consoles.writeConsoleByToken(typed);
    await eventually(() => seen.printed === 'LS');
    t.deepEqual(agent.typed, ['ls']);
    const { events } = await red.events.listEvents({ parent: PROJECT });
    t.true(
      events.some(({ message }) =>
        /^users\/red \(console token [0-9a-f]{8}\) opened the console/.test(message),
      ),
    );
    t.false(JSON.stringify(events, plain).includes(token));
    const other = await red.consoles.issueConsoleToken({ name: NAME });
    await refused(t, stranger.consoles.writeConsoleByToken({ ...typed, token: other.token }), {
      kind: 'not_found',
      reason: 'NOT_FOUND',
    });
    await refused(t, stranger.consoles.getConsoleLog({ name: NAME }), {
      kind: 'unauthenticated',
      reason: 'NO_CREDENTIALS',
    });
    await refused(t, stranger.consoles.writeConsoleByToken({ ...typed, token: 'rct_x' }), WRONG);
    leave();
    await ended;
  });

  test(`a token that reads only types nothing through ${what}`, async (t) => {
    await using site = await startConsoleSite(subject);
    await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const asked = { name: NAME, readOnly: true };
    const { token } = await red.consoles.issueConsoleToken(asked);
    const stranger = at(site, index);
    const { seen, ended, leave } = watch(stranger, token);
    await eventually(() => seen.sessionId !== '');
    t.true(seen.readOnly);
    const typed = { token, sessionId: seen.sessionId, data: Buffer.from('rm') };
    await refused(t, stranger.consoles.writeConsoleByToken(typed), {
      kind: 'permission_denied',
      reason: 'NOT_ALLOWED',
    });
    await refused(t, at(site, index, 'blue').consoles.issueConsoleToken(asked), {
      kind: 'not_found',
      reason: 'NOT_FOUND',
    });
    leave();
    await ended;
  });

  test(`a token ends in its time and with its machine through ${what}`, async (t) => {
    await using site = await startConsoleSite(subject);
    await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const stranger = at(site, index);
    const { token, seen } = await overInUse(red, stranger);
    t.is(seen.closed, 'the time of the console token is over');
    t.is(((await watch(stranger, token).ended) as { code?: number }).code, 16);
    const { token: long } = await red.consoles.issueConsoleToken({ name: NAME });
    await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    t.is(((await watch(stranger, long).ended) as { code?: number }).code, 16);
  });

  test(`a token ends when its maker lost the right to it through ${what}`, async (t) => {
    await using site = await startConsoleSite(subject);
    await connectAgent(site);
    const { people, away } = site.neighbours;
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const { token } = await red.consoles.issueConsoleToken({ name: NAME });
    const stranger = at(site, index);
    // While nobody can say whose right it is nobody is let in.
    away.add('identity');
    t.is(await codeOf(watch(stranger, token)), Code.Unavailable);
    away.delete('identity');
    const first = watch(stranger, token);
    await eventually(() => first.seen.sessionId !== '');
    const maker = people.get('users/red');
    people.set('users/red', { ...people.get('users/blue'), principal: 'users/red' } as Identity);
    await eventually(() => first.seen.closed !== '', LATE);
    t.is(first.seen.closed, 'users/red may not open this console any more');
    t.is(await codeOf(watch(stranger, token)), Code.Unauthenticated);
    const typed = { token, sessionId: first.seen.sessionId, data: Buffer.from('rm') };
    await refused(t, stranger.consoles.writeConsoleByToken(typed), WRONG);
    people.delete('users/red');
    t.is(await codeOf(watch(stranger, token)), Code.Unauthenticated);
    if (maker !== undefined) people.set('users/red', maker);
  });

  test(`an open console ends when its machine is given back through ${what}`, async (t) => {
    await using site = await startConsoleSite(subject);
    await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const { token } = await red.consoles.issueConsoleToken({ name: NAME });
    const { seen, ended } = watch(at(site, index), token);
    await eventually(() => seen.sessionId !== '');
    await red.machines.deleteMachine({ name: NAME, requestId: uuid() });
    await ended;
    t.not(seen.closed, '');
  });
};

/** A short token whose time is over while somebody has its console open. */
const overInUse = async (red: Clients, stranger: Clients) => {
  // Where the console opens slowly the token may be over before.
  for (let seconds = 2n; ; seconds *= 2n) {
    const short = { name: NAME, lifetime: { seconds, nanos: 0 } };
    const { token } = await red.consoles.issueConsoleToken(short);
    const { seen, ended } = watch(stranger, token);
    await ended;
    if (seen.sessionId !== '') return { token, seen };
    if (seconds > 60n) throw new Error('the console does not open');
  }
};

const LATE = { limitMs: 120_000 };

const codeOf = async ({ ended, leave }: ReturnType<typeof watch>): Promise<Code | undefined> => {
  // One that is let in would stay.
  const over = AbortSignal.timeout(60_000);
  over.addEventListener('abort', leave, { once: true });
  const error = await ended;
  return error instanceof ConnectError ? error.code : undefined;
};

const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
