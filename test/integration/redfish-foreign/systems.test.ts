import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

const system = (id: string, rest: Readonly<Record<string, unknown>>) => ({
  [`/redfish/v1/Systems/${id}`]: { '@odata.id': `/redfish/v1/Systems/${id}`, ...rest },
});

const systems = (...ids: readonly string[]) => ({
  '/redfish/v1/Systems': {
    Members: ids.map((id) => ({ '@odata.id': `/redfish/v1/Systems/${id}` })),
  },
});

test('a hypervisor that is shown beside the machine is not taken for it', async (t) => {
  const { open } = await foreignRedfish(t, {
    ...systems('hypervisor', 'system'),
    ...system('hypervisor', { SystemType: 'OS', Model: 'Hypervisor' }),
    ...system('system', { SystemType: 'Physical', Model: 'Power S1022' }),
  });
  t.is((await open()).model, 'Power S1022');
});

test('of two machines behind one controller the address must name one', async (t) => {
  const { open } = await foreignRedfish(t, {
    ...systems('1', '2'),
    ...system('1', { SystemType: 'Physical' }),
    ...system('2', { SystemType: 'Physical' }),
  });
  const error = await t.throwsAsync(open(), { instanceOf: BmcError });
  t.is(error.fault, 'refused');
  t.regex(error.message, /Systems\/1, \/redfish\/v1\/Systems\/2/);
});

test('an override is ended without a target where none is no target', async (t) => {
  const at = '/redfish/v1/Systems/1';
  const boot = {
    BootSourceOverrideEnabled: 'Once',
    BootSourceOverrideTarget: 'Pxe',
    'BootSourceOverrideTarget@Redfish.AllowableValues': ['Pxe', 'Cd', 'Hdd'],
  };
  const bodies = system('1', { Boot: boot });
  const { open, written } = await foreignRedfish(t, bodies, (_, shown) => {
    shown.set(at, { ...shown.get(at), Boot: { ...boot, BootSourceOverrideEnabled: 'Disabled' } });
    return undefined;
  });
  const aspect = offered((await open()).offers.bootDevice);
  await aspect.set({ device: 'none', persistent: false }, inTime());
  t.deepEqual(written.at(-1)?.body, { Boot: { BootSourceOverrideEnabled: 'Disabled' } });
});
