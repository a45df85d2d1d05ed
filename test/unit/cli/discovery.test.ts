import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { DiscoveryState } from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import {
  type AcceptDiscoveryRequest,
  type DeleteDiscoveryRequest,
  DiscoveryService,
  type ListDiscoveriesRequest,
  type RejectDiscoveryRequest,
} from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { accept, get, list, reject, remove } from '../../../services/cli/commands/discovery.ts';
import { callCommand } from './call-command.ts';

const DISCOVERY = {
  name: 'partitions/lab/discoveries/10.0.0.7',
  state: DiscoveryState.PROPOSED,
  found: {
    type: BmcType.IPMI,
    address: '10.0.0.7',
    facts: { vendor: 'Acme', model: 'R1', serialNumber: 'SN7' },
  },
  conflicts: [{ field: 'serial_number', value: 'SN7', holder: 'partitions/lab/providers/old' }],
};

const recording = () => {
  const seen: {
    list: ListDiscoveriesRequest[];
    accept: AcceptDiscoveryRequest[];
    reject: RejectDiscoveryRequest[];
    delete: DeleteDiscoveryRequest[];
  } = { list: [], accept: [], reject: [], delete: [] };
  const routes = (router: ConnectRouter) => {
    router.service(DiscoveryService, {
      getDiscovery: () => ({ discovery: DISCOVERY }),
      listDiscoveries: (request) => {
        seen.list.push(request);
        return { discoveries: [DISCOVERY] };
      },
      acceptDiscovery: (request) => {
        seen.accept.push(request);
        return { provider: { name: `partitions/lab/providers/${request.providerId}` } };
      },
      rejectDiscovery: (request) => {
        seen.reject.push(request);
        return {};
      },
      deleteDiscovery: (request) => {
        seen.delete.push(request);
        return {};
      },
    });
  };
  return { seen, routes };
};

test('a list shows what was found and whose it is already', async (t) => {
  const { seen, routes } = recording();
  const called = await callCommand(list, ['--state', 'proposed'], routes);
  t.regex(
    called.stdout,
    /10\.0\.0\.7 +proposed +ipmi +Acme R1 +SN7 +- +serial_number SN7 is old's/,
  );
  t.like(seen.list[0], { parent: 'partitions/lab', state: DiscoveryState.PROPOSED });
  const wrong = await callCommand(list, ['--state', 'new'], routes);
  t.is(wrong.code, 2);
});

test('one is shown with its controller and its conflicts', async (t) => {
  const { stdout } = await callCommand(get, ['10.0.0.7'], recording().routes);
  t.regex(stdout, /controller +ipmi at 10\.0\.0\.7/);
  t.regex(stdout, /conflict +serial_number SN7 is old's/);
});

test('one is accepted with the secret of the project and the groups that are named', async (t) => {
  const { seen, routes } = recording();
  const argv = ['10.0.0.7', 'r1u3', '--secret', 'bmc', '--group', 'rack1', '--type', 'metal'];
  const called = await callCommand(accept, argv, routes);
  t.is(called.code, 0, called.stderr);
  t.regex(called.stdout, /created partitions\/lab\/providers\/r1u3/);
  t.like(seen.accept[0], {
    name: DISCOVERY.name,
    providerId: 'r1u3',
    secret: 'projects/red/secrets/bmc',
    groups: ['rack1'],
    type: ProviderType.BARE_METAL,
    validateOnly: false,
  });
  await callCommand(accept, ['10.0.0.7', 'r1u3', '--dry-run'], routes);
  t.like(seen.accept[1], { secret: '', groups: [], validateOnly: true });
});

test('one is rejected with a reason', async (t) => {
  const { seen, routes } = recording();
  await callCommand(reject, ['10.0.0.7', '--reason', 'a printer'], routes);
  t.like(seen.reject[0], { name: DISCOVERY.name, reason: 'a printer' });
});

test('one is forgotten, also where it is not there any more', async (t) => {
  const { seen, routes } = recording();
  const called = await callCommand(remove, ['10.0.0.7', '--allow-missing'], routes);
  t.is(called.code, 0, called.stderr);
  t.like(seen.delete[0], { name: DISCOVERY.name, allowMissing: true });
});
