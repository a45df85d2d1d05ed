/** What controllers do to headers and bodies of HTTP that DSP0266 does not have. */
import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { type Answering, foreignRedfish, withHeaders } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

const SYSTEM = '/redfish/v1/Systems/1';
const link = (path: string) => ({ '@odata.id': path });
const lamp = (lit: boolean) => ({
  ...link(SYSTEM),
  LocationIndicatorActive: lit,
  Links: { ManagedBy: [link('/redfish/v1/Managers/1')] },
});

type Headers = Readonly<Record<string, string | string[]>>;

/** A lamp that is written only where the tag is one that the controller takes. */
const lampWith = (headers: Headers, takes: (tag: string | undefined) => boolean): Answering => {
  return ({ ifMatch }, bodies) => {
    if (!takes(ifMatch)) return { status: 412, body: {} };
    bodies.set(SYSTEM, withHeaders(lamp(true), headers));
    return undefined;
  };
};

const lights = test.macro({
  exec: async (t, headers: Headers, takes: (tag: string | undefined) => boolean) => {
    const bodies = { [SYSTEM]: withHeaders(lamp(false), headers) };
    const { open, written } = await foreignRedfish(t, bodies, lampWith(headers, takes));
    const { offers } = await open();
    await offered(offers.indicator).set(true, inTime());
    t.true(written.length <= 3);
  },
  title: (name = '') => name,
});

test(
  'a tag that is sent twice is one',
  lights,
  { etag: ['"D4B30BB4"', '"D4B30BB4"'] },
  (tag) => tag === '"D4B30BB4"',
);
test(
  'a controller that does not take its own tag back is told to write whatever it is',
  lights,
  { etag: '"1682532272"' },
  (tag) => tag === '*',
);
test(
  'a weak tag is taken back as a strong one, or not at all',
  lights,
  { etag: 'W/"93227b24"' },
  (tag) => tag === '*',
);

test('a resource that others change all the while is not written over', async (t) => {
  let turn = 0;
  const tagged = () => withHeaders(lamp(false), { etag: `"${turn}"` });
  const { open, written } = await foreignRedfish(t, { [SYSTEM]: tagged() }, (_, bodies) => {
    turn += 1;
    bodies.set(SYSTEM, tagged());
    return { status: 412, body: {} };
  });
  const { offers } = await open();
  await t.throwsAsync(offered(offers.indicator).set(true, inTime()), { instanceOf: BmcError });
  t.false(written.some(({ ifMatch }) => ifMatch === '*'));
});

test('an answer that is compressed though nobody asked for it is read', async (t) => {
  const bodies = {
    [SYSTEM]: withHeaders(
      { ...lamp(false), Model: 'Compressed', PowerState: 'On' },
      { 'content-encoding': 'gzip' },
    ),
  };
  const { open } = await foreignRedfish(t, bodies);
  const { offers } = await open();
  t.is((await offered(offers.facts).read(inTime())).model, 'Compressed');
});

test('an answer that unpacks to more than any answer has is refused', async (t) => {
  const bodies = {
    [SYSTEM]: withHeaders(
      { ...lamp(false), Model: 'x'.repeat(30_000_000) },
      { 'content-encoding': 'gzip' },
    ),
  };
  const { open } = await foreignRedfish(t, bodies);
  await t.throwsAsync(open(), { instanceOf: BmcError, message: /more than \d+ bytes/ });
});

test('JSON that is called a text is JSON', async (t) => {
  const bodies = {
    [SYSTEM]: withHeaders({ ...lamp(false), Model: 'A text' }, { 'content-type': 'text/plain' }),
  };
  const { open } = await foreignRedfish(t, bodies);
  const { offers } = await open();
  t.is((await offered(offers.facts).read(inTime())).model, 'A text');
});
