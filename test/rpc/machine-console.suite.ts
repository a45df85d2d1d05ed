/** Consoles: through whichever replica, and for callers that stream one way. */
import type { ExecutionContext } from 'ava';
import type { AttachConsoleResponse } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  type Clients,
  clientsOf,
  connectAgent,
  createMachine,
  PROJECT,
  type Site,
  startSite,
} from './machine-fixture.ts';

const NAME = `${PROJECT}/machines/web-1`;

const at = (site: Site, index: number, token: string): Clients => {
  const replica = site.replicas[index];
  if (replica === undefined) throw new Error('no such replica');
  return clientsOf(replica.asPerson(token));
};

/** A person at a console: what was printed, and a way to type. */
const attach = (clients: Clients, options: { replayBytes?: number; readOnly?: boolean } = {}) => {
  const leave = new AbortController();
  const lines: string[] = [];
  let ring = Promise.withResolvers<void>();
  let printed = '';
  let opened: Extract<AttachConsoleResponse['content'], { case: 'opened' }>['value'] | undefined;
  async function* typing() {
    yield { content: { case: 'open' as const, value: { name: NAME, ...options } } };
    while (!leave.signal.aborted) {
      for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        yield { content: { case: 'data' as const, value: Buffer.from(line) } };
      }
      await ring.promise;
      ring = Promise.withResolvers<void>();
    }
  }
  const run = async () => {
    const output = clients.consoles.attachConsole(typing(), { signal: leave.signal });
    for await (const { content } of output) {
      if (content.case === 'opened') opened = content.value;
      if (content.case === 'data') printed += Buffer.from(content.value).toString();
    }
  };
  const ended = run().catch((error: unknown) => error);
  return {
    type: (line: string) => {
      lines.push(line);
      ring.resolve();
    },
    printed: () => printed,
    opened: () => opened,
    ended,
    leave: () => {
      leave.abort();
      ring.resolve();
    },
  };
};

export type ConsoleSubject = {
  /** AVA's `test` or `test.serial`. */
  readonly test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
  /** For the titles. */
  readonly what: string;
  /** The replica that is asked; the agent is at the first one. */
  readonly index: number;
  readonly replicas: number;
  /** An empty database; absent = SQLite. */
  readonly createUrl?: () => Promise<string>;
};

export const start = async ({ replicas, createUrl }: ConsoleSubject): Promise<Site> => {
  const url = await createUrl?.();
  return startSite({ replicas, ...(url !== undefined && { url }) });
};

export const machineConsoleSuite = (subject: ConsoleSubject): void => {
  const { test, what, index } = subject;

  test(`what is typed reaches the guest and its answer comes back through ${what}`, async (t) => {
    await using site = await start(subject);
    const agent = await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const person = attach(red, { replayBytes: 1024 });
    await eventually(() => person.printed().includes('boot log'));
    t.false(person.opened()?.readOnly);
    person.type('hello ');
    await eventually(() => person.printed().includes('HELLO '));
    person.type('again');
    await eventually(() => person.printed().endsWith('AGAIN'));
    t.deepEqual(agent.typed, ['hello ', 'again']);
    person.leave();
    await person.ended;
    const { events } = await red.events.listEvents({ parent: PROJECT });
    const opening = events.find((event) => event.type === 'machine.console_opened');
    t.is(opening?.principal, 'users/red');
  });

  test(`a caller that streams one way watches and types through ${what}`, async (t) => {
    await using site = await start(subject);
    await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const leave = new AbortController();
    let sessionId = '';
    let printed = '';
    const asked = { name: NAME, reason: 'it hangs' };
    const run = async () => {
      const output = red.consoles.watchConsole(asked, { signal: leave.signal });
      for await (const { content } of output) {
        if (content?.content.case === 'opened') sessionId = content.content.value.sessionId;
        if (content?.content.case === 'data') printed += Buffer.from(content.content.value);
      }
    };
    const ended = run().catch(() => undefined);
    await eventually(() => sessionId !== '');
    await red.consoles.writeConsole({ name: NAME, sessionId, data: Buffer.from('ls') });
    await eventually(() => printed === 'LS');
    const { events } = await red.events.listEvents({ parent: PROJECT });
    t.true(events.some(({ message }) => message === 'users/red opened the console: it hangs'));
    // The session is its caller's alone.
    const admin = at(site, index, 'admin');
    await refused(
      t,
      admin.consoles.writeConsole({ name: NAME, sessionId, data: Buffer.from('rm') }),
      { kind: 'not_found', reason: 'NOT_FOUND' },
    );
    leave.abort();
    await ended;
    await eventually(async () => {
      const late = red.consoles.writeConsole({ name: NAME, sessionId, data: Buffer.from('x') });
      return late.then(
        () => false,
        () => true,
      );
    });
  });

  test(`the captured log is read through ${what}`, async (t) => {
    await using site = await start(subject);
    await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    const log = await red.consoles.getConsoleLog({ name: NAME });
    t.is(Buffer.from(log.data).toString(), 'boot log\n');
    t.true(log.truncated);
    const tail = await red.consoles.getConsoleLog({ name: NAME, tailBytes: 4 });
    t.is(Buffer.from(tail.data).toString(), 'log\n');
    const found = await red.consoles.getConsoleLog({ name: NAME, contains: 'BOOT' });
    t.is(Buffer.from(found.data).toString(), 'boot log\n');
    const none = await red.consoles.getConsoleLog({ name: NAME, contains: 'panic' });
    t.is(none.data.length, 0);
  });

  test(`without its agent a console says so through ${what}`, async (t) => {
    await using site = await start(subject);
    const agent = await connectAgent(site);
    const red = at(site, index, 'red');
    await createMachine(red, 'web-1');
    await refused(t, at(site, index, 'blue').consoles.getConsoleLog({ name: NAME }), {
      kind: 'not_found',
      reason: 'NOT_FOUND',
    });
    await refused(t, at(site, index, 'reader').consoles.getConsoleLog({ name: NAME }), {
      kind: 'permission_denied',
      reason: 'NOT_ALLOWED',
    });
    agent.hangUp();
    await agent.ended();
    await eventually(async () => {
      const error = await t.throwsAsync(red.consoles.getConsoleLog({ name: NAME }));
      return error.message.includes('is down since');
    });
  });
};
