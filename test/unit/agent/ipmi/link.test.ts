import test from 'ava';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { createLink, type Link } from '../../../../services/agent/drivers/ipmi/session/link.ts';
import type { Session } from '../../../../services/agent/drivers/ipmi/session/session.ts';
import { eventually } from '../../../support/eventually.ts';
import { type Pipe, type PipedController, pipedController } from '../../../support/ipmi-pipe.ts';
import { type ManualClock, manualClock } from '../../../support/manual-clock.ts';

const GET_DEVICE_ID = { netFn: 6, command: 1, data: Buffer.alloc(0) };
const RESET = { netFn: 0, command: 2, data: Buffer.from([3]), once: true };
const GET_SELF_TEST_ONCE = { netFn: 6, command: 4, data: Buffer.alloc(0), once: true };
const never = (): AbortSignal => new AbortController().signal;

type Linked = PipedController & {
  readonly clock: ManualClock;
  readonly link: Link;
  readonly first: Session;
  /** Of the session that is used now. */
  readonly line: () => Pipe;
  readonly signIns: () => number;
};

const linked = async (): Promise<Linked> => {
  const clock = manualClock();
  const piped = pipedController(clock);
  let line = piped.pipe();
  let signIns = 1;
  const first = await piped.signIn(line.datagrams);
  const link = createLink(
    {
      ...{ clock, provider: 'piped' },
      connect: () => {
        signIns += 1;
        line = piped.pipe();
        return piped.signIn(line.datagrams);
      },
    },
    first,
  );
  return { ...piped, clock, link, first, line: () => line, signIns: () => signIns };
};

/** Moves the clock until it is settled. */
const passing = async <T>(clock: ManualClock, promise: Promise<T>): Promise<T> => {
  let isSettled = false;
  const settled = promise.finally(() => {
    isSettled = true;
  });
  settled.catch(() => undefined);
  await eventually(async () => {
    await clock.advance(500);
    return isSettled;
  });
  return settled;
};

test('a session that nobody uses is kept alive', async (t) => {
  const { clock, link, signIns } = await linked();
  for (let minute = 0; minute < 10; minute += 1) await clock.advance(60_000);
  t.is((await passing(clock, link.ask(GET_DEVICE_ID, never()))).code, 0);
  t.is(signIns(), 1);
  await passing(clock, link.close(never()));
});

test('a closed link keeps nothing alive, and answers nothing', async (t) => {
  const { clock, link, line } = await linked();
  await passing(clock, link.close(never()));
  const before = line().sent();
  await clock.advance(300_000);
  t.is(line().sent(), before);
  await t.throwsAsync(passing(clock, link.ask(GET_DEVICE_ID, never())), { instanceOf: BmcError });
});

test('a request that is lost is sent again, in the same session', async (t) => {
  const { clock, link, line, signIns } = await linked();
  line().lose(3);
  t.is((await passing(clock, link.ask(GET_DEVICE_ID, never()))).code, 0);
  t.is(signIns(), 1);
  await passing(clock, link.close(never()));
});

test('a session that the controller forgot is opened again once', async (t) => {
  const { clock, link, controller, signIns } = await linked();
  controller.forget();
  t.is((await passing(clock, link.ask(GET_DEVICE_ID, never()))).code, 0);
  t.is(signIns(), 2);
  await passing(clock, link.close(never()));
});

test('what must not be done twice is sent once', async (t) => {
  const { clock, link, line } = await linked();
  const before = line().sent();
  line().lose(1);
  const error = await t.throwsAsync(passing(clock, link.ask(RESET, never())), {
    instanceOf: BmcError,
  });
  t.is(error?.fault, 'timeout');
  t.is(line().sent() - before, 1);
  await passing(clock, link.close(never()));
});

test('what must not be done twice is asked in a session that is known to live', async (t) => {
  const { clock, link, controller, server, signIns } = await linked();
  await clock.advance(10_000);
  controller.forget();
  const entries = server.log().length;
  t.is((await passing(clock, link.ask(GET_SELF_TEST_ONCE, never()))).code, 0);
  t.is(signIns(), 2);
  t.true(server.log().length - entries <= 1);
  await passing(clock, link.close(never()));
});

test('what may have been done is not sent again; what was not is', async (t) => {
  const { clock, first } = await linked();
  const sent: number[] = [];
  const answering = (codes: number[]): Link => {
    const request: Session['request'] = async ({ command }) => {
      sent.push(command);
      return { code: codes.shift() ?? 0, data: Buffer.alloc(0) };
    };
    const connect = () => Promise.reject(new Error('it is open'));
    return createLink({ clock, provider: 'piped', connect }, { ...first, request });
  };
  const unknown = answering([0xc3]);
  const error = await t.throwsAsync(passing(clock, unknown.ask(RESET, never())), {
    instanceOf: BmcError,
  });
  t.is(error?.fault, 'timeout');
  t.is(sent.length, 1);
  const busy = answering([0xc0, 0xc0]);
  t.is((await passing(clock, busy.ask(RESET, never()))).code, 0);
  t.is(sent.length, 4);
  await Promise.all([unknown, busy].map((link) => passing(clock, link.close(never()))));
});

test('requests wait for each other, but not behind too many and not beyond their signals', async (t) => {
  const { clock, link, line } = await linked();
  line().lose(3);
  const first = link.ask(GET_DEVICE_ID, never());
  const impatient = new AbortController();
  const second = link.ask(GET_DEVICE_ID, impatient.signal);
  impatient.abort(new Error('enough'));
  const error = await t.throwsAsync(second, { instanceOf: BmcError });
  t.is(error?.fault, 'timeout');
  const many = Array.from({ length: 70 }, () => link.ask(GET_DEVICE_ID, never()));
  const faults = await passing(clock, Promise.allSettled(many));
  const refused = faults.filter(({ status }) => status === 'rejected');
  t.true(refused.length > 0 && refused.length < 10, String(refused.length));
  t.is((await first).code, 0);
  await passing(clock, link.close(never()));
});

test('an answer to an earlier request is not taken for this one', async (t) => {
  const { clock, link, first } = await linked();
  const asked = Array.from({ length: 130 }, (_, index) =>
    index % 2 === 0 ? GET_DEVICE_ID : { netFn: 6, command: 4, data: Buffer.alloc(0) },
  );
  for (const one of asked) {
    const { data } = await passing(clock, link.ask(one, never()));
    // A self test answers two bytes, a device id fifteen.
    t.is(data.length, one.command === 4 ? 2 : 15);
  }
  t.false(first.lost());
  await passing(clock, link.close(never()));
});
