import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import { PropertyKind } from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import {
  DefinitionService,
  type SetDefinitionRequest,
} from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import {
  PartitionService,
  type UpdatePartitionRequest,
} from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import {
  type ChangeMembersRequest,
  type CreateProviderGroupRequest,
  ProviderGroupService,
  type UpdateProviderGroupRequest,
} from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ListProvidersRequest,
  ProviderService,
  type UpdateProviderRequest,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { CapacityService } from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import {
  parsePropertyDefinition,
  set as setDefinition,
} from '../../../services/cli/commands/definition.ts';
import { parseStep } from '../../../services/cli/commands/distance-type.ts';
import {
  add,
  create as createGroup,
  update as updateGroup,
} from '../../../services/cli/commands/group/change.ts';
import { update as updatePartition } from '../../../services/cli/commands/partition.ts';
import { list as listProviders } from '../../../services/cli/commands/provider/list.ts';
import {
  list as listInventories,
  set as setInventories,
} from '../../../services/cli/commands/provider-inventory.ts';
import { update as updateProvider } from '../../../services/cli/commands/provider-update.ts';
import { parseInventory } from '../../../services/cli/inventory-text.ts';
import { callCommand } from './call-command.ts';

const UID = '01890000-0000-7000-8000-00000000000a';

test('a step of a distance has a code, a position and perhaps a kind of group', (t) => {
  t.like(parseStep('same-rack:1:rack'), {
    code: 'same-rack',
    position: 1,
    sharedKind: GroupKind.RACK,
  });
  t.like(parseStep('far:9'), { code: 'far', position: 9, sharedKind: GroupKind.UNSPECIFIED });
  for (const wrong of ['', 'far', 'far:-1', 'Far:1', 'far:1:shelf', 'far:1:rack:x']) {
    t.throws(() => parseStep(wrong), { message: /STEP/ });
  }
});

test('a property is defined with its type, whether claims may ask for it, and its meaning', (t) => {
  t.like(parsePropertyDefinition('zone:string:schedulable=Where: it stands'), {
    key: 'zone',
    kind: PropertyKind.STRING,
    schedulable: true,
    description: 'Where: it stands',
  });
  t.like(parsePropertyDefinition('zone'), { kind: PropertyKind.UNSPECIFIED, schedulable: false });
  for (const wrong of ['', 'Zone', 'zone:text', 'zone:string:yes', 'zone:string:schedulable:x']) {
    t.throws(() => parsePropertyDefinition(wrong), { message: /PROPERTY/ });
  }
});

test('an inventory has up to six numbers, by place or by name', (t) => {
  const MIB = 2n ** 20n;
  t.like(parseInventory('runm.memory=64MiB,2MiB,1.5', 'x'), {
    resourceType: 'runm.memory',
    total: 64n * MIB,
    reserved: 2n * MIB,
    allocationRatioMilli: 1500,
    minUnit: 0n,
  });
  t.like(parseInventory('a=8,reserved=1,ratio=4,min=2,max=6,step=2', 'x'), {
    total: 8n,
    reserved: 1n,
    allocationRatioMilli: 4000,
    minUnit: 2n,
    maxUnit: 6n,
    stepSize: 2n,
  });
  for (const wrong of ['a', 'a=8,9,1,5', 'a=8,size=2', 'a=8,total=9', 'a=8,0,0', 'a=8,0,x']) {
    t.throws(() => parseInventory(wrong, 'AMOUNT'), { message: /AMOUNT/ });
  }
});

test('definitions that are not named stay', async (t) => {
  const requests: SetDefinitionRequest[] = [];
  const argv = ['runm.provider', 'zone:string:schedulable', '--remove', 'old'];
  const { code } = await callCommand(setDefinition, argv, (router) => {
    router.service(DefinitionService, {
      getDefinition: ({ name }) => ({
        definition: { name, etag: 'e1', spec: { properties: [{ key: 'old' }, { key: 'slots' }] } },
      }),
      setDefinition: (request) => {
        requests.push(request);
        return {};
      },
    });
  });
  t.is(code, 0);
  const sent = requests[0]?.definition;
  t.like(sent, { name: 'definitions/runm.provider', etag: 'e1' });
  t.deepEqual(
    sent?.spec?.properties.map(({ key }) => key),
    ['slots', 'zone'],
  );
});

const groups = () => {
  const seen: {
    created: CreateProviderGroupRequest[];
    updated: UpdateProviderGroupRequest[];
    members: ChangeMembersRequest[];
  } = { created: [], updated: [], members: [] };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, { getProvider: () => ({ provider: { uid: UID } }) });
    router.service(ProviderGroupService, {
      getProviderGroup: ({ name }) => ({
        group: { name, etag: 'e1', tags: ['a'], spec: { kind: GroupKind.RACK, parentGroup: 'r' } },
      }),
      createProviderGroup: (request) => {
        seen.created.push(request);
        return {};
      },
      updateProviderGroup: (request) => {
        seen.updated.push(request);
        return {};
      },
      changeMembers: (request) => {
        seen.members.push(request);
        return { group: { name: request.name, status: { members: 2 } } };
      },
    });
  };
  return { seen, routes };
};

test('a group is created with its place, what it shares and its distances', async (t) => {
  const { seen, routes } = groups();
  const argv = ['rack1', '--kind', 'rack', '--parent', 'row1', '--share', 'pool'];
  await callCommand(createGroup, [...argv, '--distance', 'network=same-site to rack9'], routes);
  t.is(seen.created[0]?.groupId, 'rack1');
  t.like(seen.created[0]?.group?.spec, {
    kind: GroupKind.RACK,
    parentGroup: 'row1',
    sharedProviders: [UID],
  });
  t.like(seen.created[0]?.group?.spec?.distances[0], { type: 'network', step: 'same-site' });
  const unkind = await callCommand(createGroup, ['rack1'], routes);
  t.is(unkind.code, 2);
  t.regex(unkind.stderr, /--kind is missing\s+one of site, row, rack/);
});

test('only what is given of a group is changed', async (t) => {
  const { seen, routes } = groups();
  await callCommand(updateGroup, ['rack1', '--parent', 'none', '--tag', 'b'], routes);
  const [request] = seen.updated;
  t.deepEqual(request?.updateMask?.paths, ['spec.parent_group', 'tags']);
  t.like(request?.group, { etag: 'e1', tags: ['a', 'b'] });
  t.like(request?.group?.spec, { kind: GroupKind.RACK, parentGroup: '' });
  const nothing = await callCommand(updateGroup, ['rack1'], routes);
  t.regex(nothing.stderr, /nothing to change/);
});

test('several providers go into a group in one call', async (t) => {
  const { seen, routes } = groups();
  const { stdout } = await callCommand(add, ['rack1', 'm1', 'm2'], routes);
  t.deepEqual(seen.members[0]?.add, ['m1', 'm2']);
  t.is(stdout, 'rack1 has 2 members\n');
  const { code, stderr } = await callCommand(updateGroup, ['rack1', 'm1', '--tag', 'x'], routes);
  t.is(code, 2);
  t.regex(stderr, /unexpected argument "m1"/);
});

const providers = () => {
  const seen: { updated: UpdateProviderRequest[]; listed: ListProvidersRequest[] } = {
    updated: [],
    listed: [],
  };
  const provider = {
    name: 'partitions/lab/providers/host1',
    uid: UID,
    etag: 'e1',
    spec: {
      type: ProviderType.VM_HOST,
      inventories: [
        { resourceType: 'runm.memory', total: 2n ** 36n, reserved: 2n ** 31n },
        { resourceType: 'runm.cpu.shared', total: 16n, allocationRatioMilli: 4000 },
      ],
    },
  };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, {
      getProvider: () => ({ provider }),
      listProviders: (request) => {
        seen.listed.push(request);
        return {};
      },
      updateProvider: (request) => {
        seen.updated.push(request);
        return { provider };
      },
    });
    router.service(CapacityService, {
      listUsage: () => ({
        usages: [
          {
            providerUid: UID,
            resources: [{ resourceType: 'runm.cpu.shared', usable: 64n, used: 20n }],
          },
        ],
      }),
    });
  };
  return { seen, routes };
};

test('inventories show their numbers and what is free', async (t) => {
  const { stdout } = await callCommand(listInventories, ['host1'], providers().routes);
  const lines = [
    'RESOURCE         TOTAL   RESERVED  RATIO  MIN  MAX     STEP  USED  FREE',
    'runm.memory      64 GiB  2 GiB     1      1 B  64 GiB  1 B   0     0',
    'runm.cpu.shared  16      0         4      1    16      1     20    44',
    '',
  ];
  t.is(stdout, lines.join('\n'));
});

test('inventories that are not named stay, and an unknown one cannot be removed', async (t) => {
  const { seen, routes } = providers();
  const argv = ['host1', 'gpu.a100=4', '--remove', 'runm.memory'];
  const called = await callCommand(setInventories, argv, routes);
  t.is(called.code, 0, called.stderr);
  const [request] = seen.updated;
  t.deepEqual(request?.updateMask?.paths, ['spec.inventories']);
  t.is(request?.provider?.etag, 'e1');
  const types = request?.provider?.spec?.inventories.map((one) => one.resourceType);
  t.deepEqual(types, ['runm.cpu.shared', 'gpu.a100']);
  const wrong = await callCommand(setInventories, ['host1', '--remove', 'gpu'], routes);
  t.regex(wrong.stderr, /host1 does not offer gpu/);
});

test('a list of providers is narrowed by the server', async (t) => {
  const { seen, routes } = providers();
  const argv = ['--group', 'rack1', '--capability', 'a', '--type', 'bare-metal', '--in-tree', 'c'];
  await callCommand(listProviders, argv, routes);
  t.like(seen.listed[0]?.filter, {
    group: 'rack1',
    capability: 'a',
    type: ProviderType.BARE_METAL,
    inTree: 'c',
  });
});

test('a provider moves below another one, is far from groups, and keeps its other tags', async (t) => {
  const { seen, routes } = providers();
  const argv = ['host1', '--parent', 'chassis', '--distance', 'network=far to rack9'];
  await callCommand(updateProvider, [...argv, '--property', 'zone=a'], routes);
  const [request] = seen.updated;
  const paths = ['spec.distances', 'spec.parent_provider', 'properties'];
  t.deepEqual(request?.updateMask?.paths, paths);
  t.is(request?.provider?.spec?.parentProvider, 'partitions/lab/providers/chassis');
  t.is(request?.provider?.properties.zone?.kind.case, 'stringValue');
});

test('a provider is set aside for what runs on it, and given free again', async (t) => {
  const { seen, routes } = providers();
  await callCommand(updateProvider, ['host1', '--never-provision', 'yes'], routes);
  await callCommand(updateProvider, ['host1', '--never-provision', 'no'], routes);
  t.deepEqual(
    seen.updated.map(({ updateMask, provider }) => [
      updateMask?.paths,
      provider?.spec?.neverProvision,
    ]),
    [
      [['spec.never_provision'], true],
      [['spec.never_provision'], false],
    ],
  );
  const wrong = await callCommand(updateProvider, ['host1', '--never-provision', 'maybe'], routes);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /--never-provision: "maybe" is neither yes nor no/);
});

test('a turnaround is set for one type of provider and those of the others stay', async (t) => {
  const requests: UpdatePartitionRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(PartitionService, {
      getPartition: ({ name }) => ({
        partition: {
          name,
          spec: {
            providerTypes: [
              { type: ProviderType.BARE_METAL, turnaround: { seconds: 60n } },
              { type: ProviderType.VM_HOST, turnaround: { seconds: 5n } },
            ],
          },
        },
      }),
      updatePartition: (request) => {
        requests.push(request);
        return { partition: request.partition };
      },
    });
  };
  const argv = ['lab', '--turnaround', 'bare-metal=1h30m'];
  const { stdout } = await callCommand(updatePartition, argv, routes);
  t.deepEqual(requests[0]?.updateMask?.paths, ['spec.provider_types']);
  t.regex(stdout, /^turnaround +vm-host=5s bare-metal=1h30m$/m);
  const none = await callCommand(updatePartition, ['lab', '--turnaround', 'metal=0s'], routes);
  t.regex(none.stdout, /^turnaround +vm-host=5s$/m);
  const wrong = await callCommand(updatePartition, ['lab', '--turnaround', 'metal'], routes);
  t.regex(wrong.stderr, /--turnaround: "metal" is not TYPE=SPAN/);
});
