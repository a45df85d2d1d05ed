/** A site with servers, their controllers, and two agents that work at them. */
import { create } from '@bufbuild/protobuf';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeAgent, type FakeAgent } from './machine-agent.ts';
import { createFakeControllers, type FakeControllers } from './machine-controllers.ts';
import {
  type Clients,
  clientsOf,
  type Site,
  type SiteOptions,
  startSite,
} from './machine-fixture.ts';

export const BMC_AGENTS = ['partitions/lab/agents/b1', 'partitions/lab/agents/b2'] as const;
export const SECRET = 'projects/infra/secrets/bmc-default';
export const BMC_ADDRESS = 'https://bmc-r1.oob.example:8443';

export type MetalSite = AsyncDisposable & {
  readonly site: Site;
  readonly controllers: FakeControllers;
  readonly providers: readonly Provider[];
  /** Dials as the agent of that number, at that replica; `bmc`: it works at others than all do. */
  readonly connect: (at: number, replica?: number, bmc?: FakeControllers) => Promise<FakeAgent>;
  readonly as: (token: string, replica?: number) => Clients;
  /** Last word to the scheduler about the server of that number. */
  readonly closed: (at: number) => boolean | undefined;
};

export const newServer = (name: string): Provider =>
  create(ProviderSchema, {
    name: `partitions/lab/providers/${name}`,
    uid: systemRandom.uid(),
    generation: 1n,
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
      bmc: { type: BmcType.REDFISH, address: BMC_ADDRESS, secret: SECRET },
      agentPools: [{ role: 'bmc', agents: [...BMC_AGENTS] }],
    },
  });

export const startMetalSite = async (
  options: SiteOptions & { readonly servers?: number } = {},
): Promise<MetalSite> => {
  const site = await startSite(options);
  const controllers = createFakeControllers();
  const uids = BMC_AGENTS.map((name) => {
    const uid = systemRandom.uid();
    site.neighbours.agents.set(uid, name);
    return uid;
  });
  site.neighbours.secrets.set(SECRET, {
    data: { user: 'admin', password: 'first' },
    staged: {},
    generation: 1n,
    readers: [],
  });
  const providers = Array.from({ length: options.servers ?? 1 }, (_, at) =>
    newServer(`r1u${at + 1}`),
  );
  for (const provider of providers) site.neighbours.addProvider(provider);
  const replicaAt = (at: number) => {
    const replica = site.replicas[at];
    if (replica === undefined) throw new Error('no replica');
    return replica;
  };
  return {
    site,
    controllers,
    providers,
    connect: async (at, replica = 0, bmc = controllers) => {
      const agent = createFakeAgent({ roles: ['bmc'], bmc });
      await agent.dial(replicaAt(replica).asAgent(uids[at] ?? ''));
      await eventually(() => agent.synced() > 0, { message: 'the mark after the differences' });
      return agent;
    },
    as: (token, replica = 0) => clientsOf(replicaAt(replica).asPerson(token)),
    closed: (at) =>
      site.neighbours.offers.findLast((offer) => offer.providerUid === providers[at]?.uid)?.closed,
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
};
