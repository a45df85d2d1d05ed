/** A server that shows what is another's: told once for each identifier, with what mends it. */
import test from 'ava';
import { EventSeverity } from '../../gen/runmachine/machine/v1/event_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { list } from '../../services/cli/commands/event.ts';
import { eventually } from '../support/eventually.ts';
import { callCommand } from '../unit/cli/call-command.ts';
import { uuid } from './machine-fixture.ts';
import { type MetalSite, startMetalSite } from './machine-metal-fixture.ts';

const STATE = 'partitions/lab/providers/r1u1/state';
const HOLDER = 'partitions/lab/providers/r2u1';
const SERIAL = { field: 'serial_number', value: 'SN-1', provider: HOLDER, providerUid: uuid() };
const MAC = { ...SERIAL, field: 'nics[eth0].mac', value: '02:00:00:00:00:01' };

const lifeIs = (metal: MetalSite, life: Life) =>
  eventually(
    async () => {
      const { providerStates } = metal.as('operator');
      const { providerState } = await providerStates.getProviderState({ name: STATE });
      return providerState?.state === life;
    },
    { message: `r1u1 gets to ${life}` },
  );

/** Inspects it once more; answers what is told of conflicts then. */
const inspectedAgain = async (metal: MetalSite, life: Life) => {
  const { providerStates } = metal.as('operator');
  const times = metal.site.neighbours.recorded.length;
  await providerStates.inspectProvider({ name: STATE, requestId: uuid() });
  await eventually(() => metal.site.neighbours.recorded.length > times, {
    message: 'it was read again',
  });
  await lifeIs(metal, life);
  return toldOf(metal);
};

const toldOf = async (metal: MetalSite) => {
  const targetUid = metal.providers[0]?.uid ?? '';
  const parent = 'partitions/lab/projects/-';
  const { events } = await metal.as('operator').events.listEvents({ parent, targetUid });
  return events.filter(({ type }) => type.includes('conflict'));
};

test('a conflict is told once, with both providers and what to do, and when it is over', async (t) => {
  await using metal = await startMetalSite();
  const { conflicts } = metal.site.neighbours;
  conflicts.push(SERIAL);
  await metal.connect(0);
  await lifeIs(metal, Life.INSPECT_FAILED);
  const [first, ...more] = await toldOf(metal);
  t.deepEqual(more, []);
  t.like(first, {
    type: 'provider.identifier_conflict',
    severity: EventSeverity.WARNING,
    target: 'partitions/lab/providers/r1u1',
  });
  t.like(first?.data, { field: 'serial_number', value: 'SN-1', holder: HOLDER });
  t.regex(first?.message ?? '', /serial number SN-1, which r2u1 has already/);
  t.regex(first?.message ?? '', /runm provider inspect r2u1.*runm provider inspect r1u1/);
  t.is((await inspectedAgain(metal, Life.INSPECT_FAILED)).length, 1, 'it is the same one');
  conflicts.push(MAC);
  const two = await inspectedAgain(metal, Life.INSPECT_FAILED);
  t.is(two.length, 2);
  t.regex(two[1]?.message ?? '', /MAC address 02:00:00:00:00:01 of eth0, which r2u1 has/);
  conflicts.splice(0);
  const all = await inspectedAgain(metal, Life.AVAILABLE);
  const over = all.filter(({ type }) => type === 'provider.identifier_conflict_ended');
  t.deepEqual(over.map(({ data }) => data.value).sort(), ['02:00:00:00:00:01', 'SN-1']);
  conflicts.push(SERIAL);
  t.is((await inspectedAgain(metal, Life.AVAILABLE)).length, 5, 'it began anew');
});

test('operators find a conflict among the events, and a tenant does not', async (t) => {
  await using metal = await startMetalSite();
  metal.site.neighbours.conflicts.push(MAC);
  await metal.connect(0);
  await lifeIs(metal, Life.INSPECT_FAILED);
  const transportOf = (token: string) => metal.site.replicas[0]?.asPerson(token);
  const shown = await callCommand(list, ['--all', '--json'], transportOf('operator'));
  t.is(shown.code, 0, shown.stderr);
  t.regex(shown.stdout, /provider\.identifier_conflict/);
  t.regex(shown.stdout, /MAC address 02:00:00:00:00:01 of eth0, which r2u1 has already/);
  const hidden = await callCommand(list, ['--all', '--json'], transportOf('red'));
  t.false(hidden.stdout.includes('02:00:00:00:00:01'), hidden.stdout);
});
