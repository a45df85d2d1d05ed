/** Whatever JSON comes: an answer or a BmcError, in few calls, never anything else. */
import test from 'ava';
import fc from 'fast-check';
import { createRedfishService } from '../../../../deploy/lab/redfish/service.ts';
import { BmcError, type Offers } from '../../../../services/agent/bmc-port.ts';
import { createClient } from '../../../../services/agent/drivers/redfish/client.ts';
import { canExpand, discover } from '../../../../services/agent/drivers/redfish/discovery.ts';
import { type Call, createExchange } from '../../../../services/agent/drivers/redfish/exchange.ts';
import { faultOf, saidIn } from '../../../../services/agent/drivers/redfish/messages.ts';
import { offersOf } from '../../../../services/agent/drivers/redfish/offers.ts';
import type { Session } from '../../../../services/agent/drivers/redfish/session.ts';
import type { Transport } from '../../../../services/agent/drivers/redfish/transport.ts';
import { systemClock } from '../../../../services/runtime/clock.ts';
import { systemRandom } from '../../../../services/runtime/random.ts';
import { propertyRuns } from '../../../support/property-runs.ts';
import { quickLabServer, USER } from '../../../support/redfish-lab.ts';

const { user, password } = USER;
const AUTHORIZATION = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
/** A machine of this size takes 20; twice as much would be a loop. */
const CALLS_MAX = 400;

/** One thing that is otherwise than it should be, in the answer number `call`. */
type Damage = {
  readonly call: number;
  readonly place: number;
  readonly what: 'drop' | 'replace' | 'wrap' | 'repeat' | 'loop';
  readonly value: unknown;
};

const damages: fc.Arbitrary<Damage> = fc.record({
  call: fc.nat({ max: 30 }),
  place: fc.nat({ max: 60 }),
  what: fc.constantFrom('drop', 'replace', 'wrap', 'repeat', 'loop'),
  value: fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(null, '', 0, -1, 1e308, [], {}, '__proto__', 'https://elsewhere.example/x'),
    fc.constantFrom('/redfish/v1/', '/redfish/v1/Systems', '//', '/redfish/v1/Systems/1?$skip=1'),
  ),
});

const damaged = (body: unknown, { place, what, value }: Damage): unknown => {
  let left = place;
  const walk = (here: unknown): unknown => {
    if (typeof here !== 'object' || here === null) return here;
    if (Array.isArray(here)) return here.map(walk);
    return Object.fromEntries(
      Object.entries(here).flatMap(([name, one]): [string, unknown][] => {
        left -= 1;
        if (left !== -1) return [[name, walk(one)]];
        if (what === 'drop') return [];
        if (what === 'wrap') return [[name, [one]]];
        if (what === 'repeat') return [[name, Array.from({ length: 50 }, () => one)]];
        if (what === 'loop') return [[name, { '@odata.id': '/redfish/v1/Systems' }]];
        return [[name, value]];
      }),
    );
  };
  return what === 'replace' && place === 0 ? value : walk(body);
};

/** The lab's own service, with damage, as the inner half of a session. */
const damagedSession = (damage: readonly Damage[]) => {
  const server = quickLabServer();
  const service = createRedfishService({ server, clock: systemClock, random: systemRandom });
  let calls = 0;
  const send = async ({ method, link, body }: Call) => {
    const [path = '', query = ''] = link.split('?', 2);
    calls += 1;
    if (calls > CALLS_MAX) throw new Error(`more than ${CALLS_MAX} calls`);
    const reply = await service.answer({
      ...{ method, path: path.replace(/(?<=.)\/$/, ''), query: new URLSearchParams(query) },
      ...{ headers: { authorization: AUTHORIZATION }, body },
    });
    const hit = damage.filter(({ call }) => call === calls);
    const shown = hit.reduce(damaged, JSON.parse(JSON.stringify(reply.body ?? null)));
    return { status: reply.status, headers: reply.headers ?? {}, body: shown, text: '' };
  };
  const session: Session = {
    ...{ kind: () => 'basic', signIn: async () => undefined, send },
    renew: () => undefined,
    signOut: async () => undefined,
  };
  return { session, close: () => server.close() };
};

const signal = new AbortController().signal;

const readAll = async (offers: Offers): Promise<void> => {
  const { power, bootDevice, media, sensors, log, facts, bios, indicator, accounts } = offers;
  const reads = [
    ...[power, bootDevice, media, sensors, facts, bios, indicator].map((offer) =>
      offer.kind === 'offered' ? () => offer.aspect.read(signal) : undefined,
    ),
    log.kind === 'offered' ? () => log.aspect.read(5, signal) : undefined,
    accounts.kind === 'offered' ? () => accounts.aspect.list(signal) : undefined,
  ];
  for (const read of reads) await read?.().catch(mustBeBmcError);
};

/** fc.webUrl() first lists all characters there are, which takes a second. */
const addresses = fc
  .tuple(fc.constantFrom('https://', 'http://', '//'), fc.domain(), fc.constantFrom('/', '?', '#'))
  .chain((begin) => fc.string().map((rest) => [...begin, rest].join('')));

const mustBeBmcError = (error: unknown): void => {
  if (!(error instanceof BmcError)) throw error;
};

test('a controller whose JSON is damaged is read as far as it goes', async (t) => {
  const seed = systemRandom.bytes(4).readInt32BE();
  t.log(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(fc.array(damages, { minLength: 1, maxLength: 12 }), async (damage) => {
      const { session, close } = damagedSession(damage);
      const client = createClient({ clock: systemClock, session, canExpand: () => true });
      try {
        const root = await client.get('/redfish/v1/', signal);
        canExpand(root);
        const address = { origin: 'https://bmc', systemLink: '' };
        const found = await discover(client, { root, address }, signal);
        const { renew } = session;
        const deps = { client, clock: systemClock, settleMs: 0, rules: {}, renew };
        await readAll(offersOf({ ...deps, ...found }));
      } catch (error) {
        mustBeBmcError(error);
      } finally {
        await close();
      }
    }),
    { seed, numRuns: propertyRuns(150) },
  );
  t.pass();
});

test('whatever bytes come as an answer, they are JSON or an error', async (t) => {
  const seed = systemRandom.bytes(4).readInt32BE();
  t.log(`seed ${seed}`);
  const replies = fc.record({
    status: fc.integer({ min: 200, max: 599 }),
    headers: fc.record({
      'content-type': fc.constantFrom('application/json', 'text/html', '', 'application/json;x'),
      location: fc.oneof(fc.string(), addresses, fc.constant('/redfish/v1/')),
    }),
    body: fc.oneof(fc.string(), fc.json(), fc.constant('{"a":'), fc.constant('<html>')),
  });
  await fc.assert(
    fc.asyncProperty(replies, async (reply) => {
      const transport: Transport = {
        ...{ send: async () => reply, certificateSha256: () => '' },
        ...{ close: async () => undefined, destroy: async () => undefined },
      };
      const exchange = createExchange(transport, 'https://bmc');
      try {
        const { body } = await exchange.send({ method: 'GET', link: '/redfish/v1/' }, signal);
        saidIn(body);
        faultOf(reply.status, body);
      } catch (error) {
        mustBeBmcError(error);
      }
    }),
    { seed, numRuns: propertyRuns(500) },
  );
  t.pass();
});
