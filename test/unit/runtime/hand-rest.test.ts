import { PassThrough, type Readable } from 'node:stream';
import test from 'ava';
import { bothWays, handRest } from '../../../services/runtime/hand-rest.ts';
import { abortable } from '../../../services/runtime/rpc/abortable.ts';
import { incomingMessages } from '../../../services/runtime/rpc/incoming-messages.ts';

const text = (bytes: Buffer): string => bytes.toString();

const callWith = (...items: string[]): PassThrough => {
  const call = new PassThrough({ objectMode: true });
  for (const item of items) call.write(Buffer.from(item));
  return call;
};

async function* generated(...items: string[]): AsyncGenerator<string> {
  yield* items;
}

type Source = (...items: string[]) => AsyncIterable<string>;

const SOURCES: Readonly<Record<string, Source>> = {
  'a generator': generated,
  'a call': (...items) => incomingMessages(callWith(...items).end(), text),
  'a call that can be aborted': (...items) =>
    abortable(incomingMessages(callWith(...items).end(), text), new AbortController().signal),
  'a generator that can be aborted': (...items) =>
    abortable(generated(...items), new AbortController().signal),
};

for (const [name, source] of Object.entries(SOURCES)) {
  test(`what is left of ${name} is handed over in order, one at a time`, async (t) => {
    const iterator = source('a', 'b', 'c', 'd')[Symbol.asyncIterator]();
    t.deepEqual(await iterator.next(), { done: false, value: 'a' });
    const seen: string[] = [];
    await handRest(iterator, (item) => {
      seen.push(item);
      if (item !== 'b') return undefined;
      return new Promise((resolve) => {
        setImmediate(() => {
          seen.push('done with b');
          resolve();
        });
      });
    });
    t.deepEqual(seen, ['b', 'done with b', 'c', 'd']);
  });

  test(`who throws at an item of ${name} gets no other, and his error is the end`, async (t) => {
    for (const refuse of [
      () => {
        throw new Error('no more');
      },
      () => Promise.reject(new Error('no more')),
    ]) {
      const seen: string[] = [];
      const handed = handRest(source('a', 'b')[Symbol.asyncIterator](), (item) => {
        seen.push(item);
        return refuse();
      });
      await t.throwsAsync(handed, { message: 'no more' });
      t.deepEqual(seen, ['a']);
    }
  });
}

test('of the two ways only the one that is wanted begins', async (t) => {
  const begun: string[] = [];
  const source = bothWays(
    async function* () {
      begun.push('asked');
      yield 'a';
    },
    (take) => {
      begun.push('handed');
      return take('b') ?? Promise.resolve();
    },
  );
  const left = source[Symbol.asyncIterator]();
  t.deepEqual(await left.return?.(), { done: true, value: undefined });
  t.deepEqual(begun, []);
  const seen: string[] = [];
  for await (const item of source) seen.push(item);
  t.deepEqual(begun, ['asked']);
  await handRest(source[Symbol.asyncIterator](), (item) => {
    seen.push(item);
    return undefined;
  });
  t.deepEqual(begun, ['asked', 'handed']);
  t.deepEqual(seen, ['a', 'b']);
});

const ended = async (call: Readable, read: (bytes: Buffer) => string): Promise<unknown> => {
  const iterator = incomingMessages(call, read)[Symbol.asyncIterator]();
  return handRest(iterator, () => undefined).then(
    () => 'all was read',
    (error: unknown) => error,
  );
};

test('a call that is closed before the end of its input is an error', async (t) => {
  const call = callWith('a');
  const waiting = ended(call, text);
  call.destroy();
  t.regex(String(await waiting), /closed before the end/);
});

test('a message that cannot be decoded ends what is handed over', async (t) => {
  const waiting = ended(callWith('a'), () => {
    throw new Error('garbage');
  });
  t.regex(String(await waiting), /garbage/);
});

test('an abort ends what is handed over with its reason, and tells the source', async (t) => {
  const abort = new AbortController();
  let isTold = false;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: () => {
        isTold = true;
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  const iterator = abortable(source, abort.signal)[Symbol.asyncIterator]();
  const handed = handRest(iterator, () => undefined);
  abort.abort(new Error('over'));
  await t.throwsAsync(handed, { message: 'over' });
  t.true(isTold);
  await t.throwsAsync(
    handRest(iterator, () => undefined),
    { message: 'over' },
  );
});

test('what is refused by the look at it is not handed over', async (t) => {
  const source = incomingMessages(callWith('good', 'bad', 'good'), text);
  const look = (item: string) => {
    if (item === 'bad') throw new Error('refused');
  };
  // The name is for errors of the source alone.
  const watching = { look, name: () => new Error('misnamed') };
  const seen: string[] = [];
  const iterator = abortable(source, new AbortController().signal, watching);
  const handed = handRest(iterator[Symbol.asyncIterator](), (item) => {
    seen.push(item);
    return undefined;
  });
  await t.throwsAsync(handed, { message: 'refused' });
  t.deepEqual(seen, ['good']);
});
