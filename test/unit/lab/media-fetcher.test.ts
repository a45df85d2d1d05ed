import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { createMediaFetcher } from '../../../deploy/lab/media-fetcher.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const serve = async (t: ExecutionContext): Promise<string> => {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    turn += 1;
    if (incoming.url === '/hang') return;
    if (incoming.url === '/none') outgoing.writeHead(404);
    outgoing.end(incoming.url === '/large' ? 'x'.repeat(2_000) : `image ${turn}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  return `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
};

test('a medium is fetched at each boot anew, and kept private', async (t) => {
  const url = await serve(t);
  using dir = temporaryDir();
  const fetcher = createMediaFetcher({ directory: dir.path, clock });
  const { signal } = new AbortController();
  for (const turn of [1, 2]) {
    const fetched = await fetcher.fetch(`${url}/image.iso`, signal);
    if (fetched.kind === 'failed') return t.fail(fetched.problem);
    t.is(readFileSync(fetched.path, 'utf8'), `image ${turn}`);
    t.is(statSync(fetched.path).mode & 0o777, 0o600);
  }
  t.is(readdirSync(dir.path).length, 1);
});

test('servers that boot from the same at once get all of it, each', async (t) => {
  const parts = Array.from({ length: 8 }, (_, index) => String(index).repeat(1_000));
  const heard: (() => void)[] = [];
  const server = createServer((_incoming, outgoing) => {
    const late = heard.length > 0;
    heard.push(() => outgoing.end(parts.slice(4).join('')));
    outgoing.write(parts.slice(0, 4).join(''));
    // The first is through before the second has more than half of it.
    if (late) heard[0]?.();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/image.iso`;
  using dir = temporaryDir();
  const fetcher = createMediaFetcher({ directory: dir.path, clock });
  const { signal } = new AbortController();
  const whole = async (fetching: ReturnType<typeof fetcher.fetch>) => {
    const fetched = await fetching;
    t.is(fetched.kind === 'failed' ? fetched.problem : '', '');
    if (fetched.kind === 'fetched') t.is(readFileSync(fetched.path, 'utf8'), parts.join(''));
  };
  const first = fetcher.fetch(url, signal);
  await eventually(() => heard.length === 1, { message: 'the first is asked for' });
  const second = fetcher.fetch(url, signal);
  await whole(first);
  heard[1]?.();
  await whole(second);
  t.is(readdirSync(dir.path).length, 1);
});

const failing = test.macro({
  exec: async (t, path: string, problem: RegExp) => {
    const url = path.startsWith('/') ? `${await serve(t)}${path}` : path;
    using dir = temporaryDir();
    const limits = { limitMs: path === '/hang' ? 200 : 30_000, sizeBytesMax: 1_000 };
    const fetcher = createMediaFetcher({ directory: dir.path, clock, ...limits });
    const fetched = await fetcher.fetch(url, new AbortController().signal);
    t.regex(fetched.kind === 'failed' ? fetched.problem : 'it was fetched', problem);
    t.deepEqual(readdirSync(dir.path), [], 'nothing half is left');
  },
  title: (_, path: string) => `a medium at ${path} is not there, and it is said why`,
});

test(failing, '/none', /answered 404/);
test(failing, '/large', /larger than 1000 bytes/);
test(failing, '/hang', /longer than 200 ms/);
test(failing, 'file:///etc/passwd', /only http: and https:/);
test(failing, 'http://127.0.0.1:1/image.iso', /bad port|ECONNREFUSED/);
