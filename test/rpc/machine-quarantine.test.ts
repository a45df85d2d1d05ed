/**
 * Whatever state a provider is in and whatever else is dead, an operator's quarantine is obeyed: it
 * is written down at once, and told to the scheduler as soon as that one lives.
 */
import test from 'ava';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import type { DecidedLife } from '../../services/machine/domain/provider-lifecycle.ts';
import { newProviderState } from '../../services/machine/domain/provider-state.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { uuid } from './machine-fixture.ts';
import { newServer, startMetalSite } from './machine-metal-fixture.ts';
import { openStore } from './machine-sink-fixture.ts';

const DECIDED: readonly DecidedLife[] = [
  'enrolled',
  'inspecting',
  'inspect_failed',
  'available',
  'maintenance',
  'quarantined',
  'retired',
];
const CLEANING = ['releasing', 'cleaning', 'clean_failed'] as const;
const DEPENDENCIES = ['inventory', 'scheduler', 'agent'] as const;

const subsets = Array.from({ length: 2 ** DEPENDENCIES.length }, (_, bits) =>
  DEPENDENCIES.filter((_one, at) => (bits >> at) % 2 === 1),
);

const ACTOR = { principal: 'users/ann', requestId: 'test' };

for (const dead of subsets) {
  const without = dead.length === 0 ? 'nothing dead' : `${dead.join(' and ')} dead`;
  test(`with ${without} every state leads to quarantine`, async (t) => {
    await using metal = await startMetalSite({ servers: 0 });
    const agent = await metal.connect(0);
    if (dead.includes('agent')) agent.hangUp();
    const { neighbours } = metal.site;
    const { providerStates: states } = metal.as('operator');
    const cases = [
      ...DECIDED.map((state) => ({ state, life: undefined })),
      ...CLEANING.map((life) => ({ state: 'available' as const, life })),
    ].map((one) => ({ ...one, server: newServer(`s-${one.life ?? one.state}`) }));
    for (const { server } of cases) {
      // Nobody inspects it by itself: the state is the one that is written here.
      if (server.spec !== undefined) server.spec.agentPools = [];
      neighbours.addProvider(server);
    }
    for (const { server } of cases) {
      await eventually(() => states.getProviderState({ name: `${server.name}/state` }));
    }
    const store = await openStore(metal.site);
    const records = createRecords(systemClock);
    const nowMs = systemClock.now().getTime();
    await store.transaction(undefined, ACTOR, async (tx) => {
      for (const { server, state, life } of cases) {
        const asked = { providerUid: server.uid, partition: 'lab', owner: 'x' };
        await records.providers.hold(tx, { ...asked, untilMs: nowMs + 1_000, nowMs });
        const first = newProviderState(server.uid, 'lab');
        await records.providers.save(tx, { ...first, state }, 'x');
        if (life === undefined) continue;
        const claim = { claimUid: systemRandom.uid(), claim: 'claims/c', doneMs: null };
        const since = { sinceMs: nowMs, lifeMs: nowMs, life, problem: null };
        await records.cleanings.insert(tx, { ...asked, ...claim, ...since });
      }
    });
    await store.close();
    for (const one of dead) if (one !== 'agent') neighbours.away.add(one);
    for (const { server, state, life } of cases) {
      const name = `${server.name}/state`;
      const asked = { name, reason: 'not to be trusted', requestId: uuid() };
      const { providerState } = await states.quarantineProvider(asked);
      t.is(providerState?.state, Life.QUARANTINED, `from ${life ?? state}`);
      const isTold = !dead.includes('scheduler');
      t.is(providerState?.problem === undefined, isTold, 'and what could not be told is said');
    }
    neighbours.away.clear();
    for (const { server } of cases) {
      const lastWord = () =>
        neighbours.offers.findLast((offer) => offer.providerUid === server.uid)?.closed;
      await eventually(() => lastWord() === true, {
        message: `${server.name} is closed at the scheduler`,
      });
      const name = `${server.name}/state`;
      await eventually(
        async () => (await states.getProviderState({ name })).providerState?.problem === undefined,
        { message: 'nothing is wrong any more' },
      );
    }
  });
}
