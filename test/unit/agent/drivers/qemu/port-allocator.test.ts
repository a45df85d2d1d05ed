import { createServer } from 'node:net';
import test from 'ava';
import type { ForwardSpec } from '../../../../../services/agent/drivers/qemu/guest-spec.ts';
import {
  canBind,
  createPortAllocator,
} from '../../../../../services/agent/drivers/qemu/port-allocator.ts';
import { ownNumber } from '../../../../own-number.ts';
import { guestSpec } from '../../../../support/guest-spec.ts';

const hostAddress = '127.0.0.1';

type Taken = AsyncDisposable & { readonly port: number };

const listen = async (port: number): Promise<Taken> => {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, hostAddress, resolve);
  });
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port, [Symbol.asyncDispose]: close };
};

/** Ten ports that neither guests nor servers of other tests get. */
const ownPorts = (): number => 10 * ownNumber({ kind: 'guest-ports', first: 2_000, last: 2_999 });

/** A range of ports of which the first is in use, and the next few were free a moment ago. */
const rangeBehindTaken = async (): Promise<Taken> => {
  for (;;) {
    const base = ownPorts();
    const ports = [0, 1, 2, 3].map((more) => base + more);
    const free = await Promise.all(ports.map((port) => canBind('tcp', hostAddress, port)));
    if (!free.every(Boolean)) continue;
    const taken = await listen(base).catch(() => undefined);
    if (taken) return taken;
  }
};

const guest = (name: string, ...forwards: readonly Partial<ForwardSpec>[]) =>
  guestSpec({
    name,
    nics: [
      {
        mac: '52:54:00:00:00:01',
        forwards: forwards.map((one) => ({
          ...{ protocol: 'tcp', hostAddress, guestPort: 22, hostPort: null },
          ...one,
        })),
      },
    ],
  });

const allocatorFrom = (firstPort: number, lastPort = firstPort + 3) =>
  createPortAllocator({ firstPort, lastPort });

test('a port in use is passed over, and two guests get different ones', async (t) => {
  await using taken = await rangeBehindTaken();
  const ports = allocatorFrom(taken.port);
  const [first] = await ports.allocate(guest('a', {}), []);
  const [second] = await ports.allocate(guest('b', {}), []);
  t.deepEqual(first, {
    ...{ protocol: 'tcp', hostAddress, hostPort: taken.port + 1, guestPort: 22, nic: 0 },
  });
  t.is(second?.hostPort, taken.port + 2);
});

test('guests that ask at once get different ports', async (t) => {
  await using taken = await rangeBehindTaken();
  const ports = allocatorFrom(taken.port);
  const all = await Promise.all(['a', 'b', 'c'].map((name) => ports.allocate(guest(name, {}), [])));
  t.is(new Set(all.flat().map((one) => one.hostPort)).size, 3);
});

test('a guest keeps its port, unless another program took it meanwhile', async (t) => {
  await using taken = await rangeBehindTaken();
  const before = (hostPort: number) => [
    { protocol: 'tcp', hostAddress, hostPort, guestPort: 22, nic: 0 } as const,
  ];
  const ports = allocatorFrom(taken.port);
  const kept = await ports.allocate(guest('a', {}), before(taken.port + 3));
  t.is(kept[0]?.hostPort, taken.port + 3);
  const moved = await ports.allocate(guest('b', {}), before(taken.port));
  t.is(moved[0]?.hostPort, taken.port + 1);
});

test('a wished port that is in use is refused, with its holder', async (t) => {
  await using taken = await rangeBehindTaken();
  const ports = allocatorFrom(taken.port);
  const wish = (name: string, hostPort: number) => ports.allocate(guest(name, { hostPort }), []);
  t.like(await t.throwsAsync(wish('a', taken.port)), { reason: 'PORT_TAKEN' });
  await wish('a', taken.port + 1);
  t.like(await t.throwsAsync(wish('b', taken.port + 1)), {
    reason: 'PORT_TAKEN',
    metadata: { holder: 'a' },
  });
});

test('a full range is told, and what is released is given again', async (t) => {
  await using taken = await rangeBehindTaken();
  const ports = allocatorFrom(taken.port, taken.port + 1);
  await ports.allocate(guest('a', {}), []);
  t.like(await t.throwsAsync(ports.allocate(guest('b', {}), [])), { reason: 'NO_FREE_PORT' });
  ports.release('a');
  t.is((await ports.allocate(guest('b', {}), []))[0]?.hostPort, taken.port + 1);
});

test('ports in the records of guests that are off are not given to others', async (t) => {
  await using taken = await rangeBehindTaken();
  const ports = allocatorFrom(taken.port);
  ports.reserve('old', [
    { protocol: 'tcp', hostAddress, hostPort: taken.port + 1, guestPort: 22, nic: 0 },
  ]);
  t.is((await ports.allocate(guest('new', {}), []))[0]?.hostPort, taken.port + 2);
});

test('tcp and udp of the same number are different ports', async (t) => {
  await using taken = await rangeBehindTaken();
  t.false(await canBind('tcp', hostAddress, taken.port));
  t.true(await canBind('udp', hostAddress, taken.port));
});
