/** A controller that refuses what its secret says is the provider's problem until it lets us in. */
import test from 'ava';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { type MetalSite, startMetalSite } from './machine-metal-fixture.ts';

const R1 = 'partitions/lab/providers/r1u1';
const REFUSED = 'BMC_UNAUTHORIZED';

const toldOf = async (metal: MetalSite): Promise<readonly string[]> => {
  const asked = {
    parent: 'partitions/lab/projects/-',
    targetUid: metal.providers[0]?.uid ?? '',
  };
  const { events } = await metal.as('operator').events.listEvents(asked);
  return events.map(({ type }) => type).filter((type) => type.includes('.credentials_'));
};

test('refused credentials are the provider’s problem, told once, until they work', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  await eventually(() => metal.closed(0) === false, { message: 'its inspection is over' });
  const { hardware } = metal.as('operator');
  const { recorded } = metal.site.neighbours;
  const before = recorded.length;
  metal.controllers.fault = { succeeded: false, reason: REFUSED, message: 'It refuses "admin"' };
  const wanted = { kind: 'failed_precondition', reason: REFUSED } as const;
  for (let n = 0; n < 3; n += 1) await refused(t, hardware.getProviderPower({ name: R1 }), wanted);
  t.deepEqual(
    recorded.slice(before).map(({ name, problem, facts }) => [name, problem?.message, facts]),
    [[R1, 'It refuses "admin"', undefined]],
  );
  t.deepEqual(await toldOf(metal), ['provider.credentials_refused']);
  metal.controllers.fault = undefined;
  for (let n = 0; n < 3; n += 1) await hardware.getProviderPower({ name: R1 });
  t.is(recorded.length, before + 2);
  t.is(recorded.at(-1)?.problem, undefined);
  t.deepEqual([...(await toldOf(metal))].toSorted(), [
    'provider.credentials_accepted',
    'provider.credentials_refused',
  ]);
});
