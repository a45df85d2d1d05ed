/**
 * The built-in roles. They are code and not rows: a release that adds an RPC adds its permission
 * here, and no installation is left with a role that lacks it.
 */
export type Role = {
  /** Last segment of "roles/{role}". */
  readonly id: string;
  readonly description: string;
  readonly permissions: readonly string[];
  /** False for the roles of our own processes and agents, which no user can be given. */
  readonly grantable: boolean;
};

const READS = [
  'claim.get',
  'claim.list',
  'capability.get',
  'capability.list',
  'definition.get',
  'distance_type.get',
  'distance_type.list',
  'event.list',
  'image.get',
  'image.list',
  'operation.get',
  'operation.list',
  'partition.get',
  'partition.list',
  'project.get',
  'project.list',
  'quota.get',
  'quota.list',
  'resource_type.get',
  'resource_type.list',
  'role.get',
  'role.list',
];

/** All but `secret.reveal`: the values come out only to our services. */
const SECRETS = ['secret.create', 'secret.delete', 'secret.get', 'secret.list', 'secret.update'];

export const ADMIN = 'admin';

/** In the order of their ids. */
export const ROLES: readonly Role[] = [
  {
    id: ADMIN,
    description: 'Everything. The last one on the system cannot be taken away.',
    permissions: ['*'],
    grantable: true,
  },
  {
    id: 'agent',
    description: 'What our agents need. Held by their certificates.',
    permissions: ['agent.session'],
    grantable: false,
  },
  {
    id: 'member',
    description: 'Works in a project: claims, machines, images.',
    permissions: [
      ...READS,
      'claim.create',
      'claim.extend',
      'claim.release',
      'claim.transfer',
      'image.create',
      'image.delete',
      'machine.*',
      'operation.*',
      ...SECRETS,
    ],
    grantable: true,
  },
  {
    id: 'operator',
    description: 'Runs partitions: providers, agents, capacity, and the machines on them.',
    permissions: [
      ...READS,
      'agent.*',
      'capability.*',
      'capacity.list',
      'claim.*',
      'discovery.*',
      'distance_type.*',
      'group.*',
      'image.*',
      'machine.*',
      'operation.*',
      'partition.update',
      'provider.*',
      'quota.*',
      'resource_type.*',
      ...SECRETS,
    ],
    grantable: true,
  },
  {
    id: 'reader',
    description: 'Sees what is there and changes nothing.',
    permissions: [
      ...READS,
      'agent.get',
      'agent.list',
      'capacity.list',
      'group.get',
      'group.list',
      'machine.get',
      'machine.list',
      'provider.get',
      'provider.list',
    ],
    grantable: true,
  },
  {
    id: 'service',
    description: 'What our services need of each other. Held by their certificates.',
    permissions: [
      ...READS,
      'agent.get',
      'agent.list',
      'agent.order',
      'capacity.*',
      'claim.*',
      'discovery.record',
      'group.get',
      'group.list',
      'image.*',
      'machine.*',
      'operation.*',
      'provider.get',
      'provider.list',
      'provider.observe',
      'secret.get',
      'secret.reveal',
      'secret.update',
      'trust.introspect',
    ],
    grantable: false,
  },
];

export const findRole = (id: string): Role | undefined =>
  ROLES.find((role) => role.id === id.toLowerCase());
