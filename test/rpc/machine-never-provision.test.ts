/** A server on which something runs that is not ours: nobody gets it and nothing disturbs it. */
import test from 'ava';
import { BootDeviceType, PowerChange } from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import { MachineType, PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { NO_CLEANING } from '../../services/machine/work/cleaning-hook.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import { type MetalSite, startMetalSite } from './machine-metal-fixture.ts';

const R1 = 'partitions/lab/providers/r1u1';
const STATE = `${R1}/state`;
const BENCH = `${PROJECT}/machines/bench-1`;
const NEVER = { kind: 'failed_precondition', reason: 'NEVER_PROVISION' } as const;

const until = (metal: MetalSite, life: Life) =>
  eventually(
    async () => {
      const { providerStates } = metal.as('operator');
      const { providerState } = await providerStates.getProviderState({ name: STATE });
      return providerState?.state === life;
    },
    { message: `r1u1 gets to ${life}` },
  );

const flag = (metal: MetalSite, neverProvision: boolean) => {
  metal.site.neighbours.changeProvider(() => {
    const [provider] = metal.providers;
    if (provider?.spec === undefined) throw new Error('no server');
    provider.spec.neverProvision = neverProvision;
    provider.generation += 1n;
  });
  return eventually(() => metal.closed(0) === neverProvision, {
    message: `the scheduler is told that it is ${neverProvision ? 'closed' : 'open'}`,
  });
};

test('nobody gets it and no operator disturbs it, with force neither, but all read it', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  await until(metal, Life.AVAILABLE);
  t.is(metal.closed(0), false);
  await flag(metal, true);
  const { hardware, providerStates } = metal.as('operator');
  const forced = { name: R1, force: true, reason: 'a slip' };
  const changes = [
    () => hardware.changeProviderPower({ ...forced, change: PowerChange.OFF, requestId: uuid() }),
    () =>
      hardware.setProviderBootDevice({
        ...forced,
        bootDevice: { type: BootDeviceType.NETWORK },
        requestId: uuid(),
      }),
    () => hardware.insertProviderMedia({ ...forced, url: 'http://a/b.iso', requestId: uuid() }),
    () => hardware.sendRawRequest({ ...forced, request: 'POST / {}', requestId: uuid() }),
  ];
  for (const change of changes) await refused(t, change(), NEVER);
  t.is((await hardware.getProviderPower({ name: R1 })).power, PowerState.OFF);
  t.true((await hardware.setProviderIndicator({ name: R1, lit: true, requestId: uuid() })).lit);
  for (const verb of [providerStates.maintainProvider, providerStates.returnProvider]) {
    await verb({ name: STATE, reason: 'fans', requestId: uuid() });
    t.true(metal.closed(0), 'what an operator says of its state does not open it');
  }
  await flag(metal, false);
});

test('a machine that is on it is not booted anew, and what it leaves is not cleaned', async (t) => {
  const cleaning = { ...NO_CLEANING, command: ['/bin/true'], timeoutMs: 20_000 };
  await using metal = await startMetalSite({ config: { cleaning } });
  await metal.connect(0);
  await until(metal, Life.AVAILABLE);
  const { machines } = metal.as('red');
  const spec = { type: MachineType.BARE_METAL };
  const asked = { parent: PROJECT, machineId: 'bench-1', machine: { spec }, requestId: uuid() };
  const { operation } = await machines.createMachine(asked);
  t.not((await ended(metal.as('red'), operation?.name)).result.case, 'error');
  await flag(metal, true);
  await refused(t, machines.resetMachine({ name: BENCH, requestId: uuid() }), NEVER);
  const { operation: deletion } = await machines.deleteMachine({ name: BENCH, requestId: uuid() });
  t.not((await ended(metal.as('red'), deletion?.name)).result.case, 'error');
  await until(metal, Life.CLEAN_FAILED);
  t.is(metal.site.neighbours.finishes.length, 0, 'it is handed on to nobody');
  await flag(metal, false);
  await metal.as('operator').providerStates.cleanProvider({ name: STATE, requestId: uuid() });
  await until(metal, Life.AVAILABLE);
});
