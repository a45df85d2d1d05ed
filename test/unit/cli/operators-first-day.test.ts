/** What verbs of the first day say: whose events, whose secrets, and what to type next. */
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  EventService,
  type ListEventsRequest,
} from '../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import {
  ProviderHardwareService,
  type ScanControllersRequest,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { ProviderLifeState } from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { drain } from '../../../services/cli/commands/agent.ts';
import { list } from '../../../services/cli/commands/event.ts';
import { softOff } from '../../../services/cli/commands/hardware/power.ts';
import { scan } from '../../../services/cli/commands/hardware/scan.ts';
import { timeline } from '../../../services/cli/commands/provider/timeline.ts';
import { inspect } from '../../../services/cli/commands/provider-state.ts';
import { status } from '../../../services/cli/commands/status.ts';
import { callCommand } from './call-command.ts';

const events = () => {
  const seen: ListEventsRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(EventService, {
      listEvents: (request) => {
        seen.push(request);
        const target = 'partitions/lab/providers/r1u1';
        return { events: [{ target, type: 'provider.cleaned', message: 'It is clean' }] };
      },
    });
    router.service(ProviderService, {
      getProvider: ({ name }) => ({ provider: { name, uid: 'uid-of-r1u1' } }),
    });
  };
  return { seen, routes };
};

test('events are those of the project, or of all there is', async (t) => {
  const { seen, routes } = events();
  await callCommand(list, [], routes);
  await callCommand(list, ['--all'], routes);
  t.deepEqual(
    seen.map(({ parent }) => parent),
    ['partitions/lab/projects/red', 'partitions/lab/projects/-'],
  );
});

test('the timeline of a provider is what happened to it, in no project', async (t) => {
  const { seen, routes } = events();
  const called = await callCommand(timeline, ['r1u1'], routes);
  t.like(seen[0], { parent: 'partitions/lab/projects/-', targetUid: 'uid-of-r1u1' });
  t.regex(called.stdout, /r1u1 +provider\.cleaned +It is clean/);
});

const scanning = (addresses: readonly string[]) => {
  const seen: ScanControllersRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(ProviderHardwareService, {
      scanControllers: (request) => {
        seen.push(request);
        const controllers = addresses.map((address) => ({ address, type: BmcType.REDFISH }));
        return { controllers, tried: 6 };
      },
    });
  };
  return { seen, routes };
};

test('a scan takes a secret of the project by its name, and says what comes next', async (t) => {
  const { seen, routes } = scanning(['10.0.0.7']);
  const called = await callCommand(scan, ['10.0.0.0/29', '--secret', 'bmc-default'], routes);
  t.like(seen[0], { ranges: ['10.0.0.0/29'], secret: 'projects/red/secrets/bmc-default' });
  t.regex(called.stderr, /1 found at 6 addresses\nnext: runm discovery list/);
  await callCommand(scan, ['10.0.0.7', '--secret', 'projects/ops/secrets/x'], routes);
  t.is(seen[1]?.secret, 'projects/ops/secrets/x');
  await callCommand(scan, ['10.0.0.7'], routes);
  t.is(seen[2]?.secret, '');
});

test('a scan that finds nothing says that ports may be others', async (t) => {
  const called = await callCommand(scan, ['10.0.0.0/29'], scanning([]).routes);
  t.regex(called.stderr, /0 found at 6 addresses\nnext: .*10\.0\.0\.0\/24:8443/);
});

test('who asks a server to power off is not told that it is on as if that were all', async (t) => {
  const called = await callCommand(softOff, ['r1u1', '--yes'], (router) => {
    router.service(ProviderHardwareService, {
      changeProviderPower: () => ({ power: PowerState.ON }),
    });
  });
  t.is(called.stdout, 'r1u1 was asked to power off; it is still on\n');
  t.is(called.stderr, 'next: runm provider power status r1u1\n');
});

test('an inspection that has only begun says where its end is told', async (t) => {
  const called = await callCommand(inspect, ['r1u1'], (router) => {
    router.service(ProviderStateService, {
      inspectProvider: ({ name }) => ({
        providerState: { name, state: ProviderLifeState.AVAILABLE },
      }),
    });
  });
  t.regex(called.stdout, /state +available/);
  t.regex(called.stderr, /asked now.*runm provider timeline r1u1/);
});

test('a reason is --reason with every verb', async (t) => {
  const said: string[] = [];
  await callCommand(drain, ['host-1', '--reason', 'new disk'], (router) => {
    router.service(AgentDirectoryService, {
      drainAgent: ({ name, why }) => {
        said.push(why);
        return { agent: { name } };
      },
    });
  });
  t.deepEqual(said, ['new disk']);
});

const hidden = () => {
  throw new ConnectError('"partitions/lab" does not exist or is not visible', Code.NotFound);
};

const ofTenant = (partition: string) => (router: ConnectRouter) => {
  router.service(PartitionService, {
    listPartitions: () => ({ partitions: [{ name: `partitions/${partition}` }] }),
  });
  router.service(ProviderService, { listProviders: hidden });
  router.service(AgentDirectoryService, { listAgents: hidden });
  router.service(ClaimService, { listClaims: () => ({ claims: [] }) });
  router.service(MachineService, { listMachines: () => ({ machines: [] }) });
};

test('what a tenant may not see is no failure of his installation', async (t) => {
  const called = await callCommand(status, [], ofTenant('lab'));
  t.is(called.code, 0);
  t.regex(called.stdout, /providers +not visible to you\n/);
  t.regex(called.stdout, /machines +none/);
});

test('a partition that is not there is', async (t) => {
  const called = await callCommand(status, [], ofTenant('other'));
  t.is(called.code, 3);
  t.regex(called.stderr, /there is no partition "lab"/);
});
