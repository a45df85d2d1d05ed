/** Stand-ins for identity, inventory and scheduler that speak the real contracts. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createRouterTransport, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { DiscoveryService } from '../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderStatusSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  type RecordProviderFactsRequest,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  CapacityService,
  type SetCapacityRequest,
} from '../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import {
  AllocationSchema,
  type Claim,
  ClaimSchema,
  ClaimState,
} from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type CreateClaimRequest,
} from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { notFound, resourceExhausted, unavailable } from '../../services/runtime/errors.ts';
import type { Identity } from '../../services/runtime/identity.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';
import { decodeOnBehalfOf, ON_BEHALF_OF } from '../../services/runtime/rpc/on-behalf-of.ts';
import { createFakeSecrets, type FakeSecrets } from './machine-secrets.ts';

export const PROVIDER = 'partitions/lab/providers/host-1';

export type Neighbours = {
  readonly transports: Readonly<Record<'identity' | 'inventory' | 'scheduler', Transport>>;
  readonly claims: Map<string, Claim>;
  /** Principals in whose name claims were made. */
  readonly claimers: string[];
  /** What the leader was told of providers, and took. */
  readonly offers: SetCapacityRequest[];
  readonly provider: Provider;
  /** Agents that have joined: uid to resource name. */
  readonly agents: Map<string, string>;
  /** What people may do, by principal. */
  readonly people: Map<string, Identity>;
  /** Values by lower-case name. */
  readonly secrets: FakeSecrets['values'];
  /** What was written down of servers. */
  readonly recorded: RecordProviderFactsRequest[];
  /** What the next facts are said to conflict with. */
  readonly conflicts: { field: string; value: string; provider: string; providerUid?: string }[];
  /** Claim and provider of every release that was finished. */
  readonly finishes: string[];
  /** Addresses of controllers that scans found. */
  readonly discovered: string[];
  /** Services that do not answer: identity, inventory, scheduler. */
  readonly away: Set<string>;
  /** Contacts of every project. */
  readonly contacts: string[];
  /** What the next claims are answered with instead. */
  readonly refuse: (error: ConnectError | undefined) => void;
  /** What the next words about capacity are answered with instead. */
  readonly refuseCapacity: (error: ConnectError | undefined) => void;
  /** Inventory tells of one more provider. */
  readonly addProvider: (provider: Provider) => void;
  /** Inventory tells of a new generation. */
  readonly changeProvider: (change: (provider: Provider) => void) => void;
  readonly noCapacity: () => ConnectError;
  /** How often watchers have been told of all claims and came back for more. */
  readonly looks: () => number;
  /** Tells watchers of claims that something changed. */
  readonly tellClaim: () => void;
};

export const createNeighbours = (agentName: string): Neighbours => {
  const claims = new Map<string, Claim>();
  const requests = new Map<string, Claim>();
  const claimers: string[] = [];
  const offers: SetCapacityRequest[] = [];
  const agents = new Map<string, string>();
  const people = new Map<string, Identity>();
  const secrets = createFakeSecrets();
  const contacts: string[] = [];
  const recorded: RecordProviderFactsRequest[] = [];
  const conflicts: Neighbours['conflicts'] = [];
  const finishes: string[] = [];
  const discovered: string[] = [];
  const away = new Set<string>();
  const provider = newProvider(agentName);
  const others: Provider[] = [];
  const providerBell = createBell();
  const claimBell = createBell();
  let refusal: ConnectError | undefined;
  let looks = 0;
  let capacityRefusal: ConnectError | undefined;
  const all = () => [provider, ...others];
  const inUse = (uid: string) =>
    [...claims.values()].some(({ status }) =>
      status?.allocations.some((one) => one.providerUid === uid && one.finishTime === undefined),
    );
  /** The first server that is open and free; guests go to the host. */
  const placeFor = (request: CreateClaimRequest): Provider => {
    const wanted = request.claim?.spec?.groups ?? [];
    const isWhole = wanted.some(({ resources }) =>
      resources.some(({ resourceType }) => resourceType === 'runm.machine.whole'),
    );
    if (!isWhole) return provider;
    const isOpen = (uid: string) =>
      offers.findLast(({ providerUid }) => providerUid === uid)?.closed === false;
    const place = others.find(({ uid }) => isOpen(uid) && !inUse(uid));
    if (place !== undefined) return place;
    throw toConnectError(
      resourceExhausted('NO_CAPACITY', 'No server is free', { removedBy: { whole: 1 } }),
    );
  };
  const find = (name: string): Claim => {
    const claim = claims.get(name);
    if (claim === undefined) throw missing(name);
    return claim;
  };
  const identity = createRouterTransport(({ service }) => {
    service(TrustService, {
      introspect: ({ credential }) => {
        if (away.has('identity')) throw gone('identity');
        const named = credential.case === 'principal' ? credential.value : '';
        const person = people.get(named);
        if (person !== undefined) return introspected(person);
        const uid = named.split('/')[1];
        const agent = agents.get(uid ?? '');
        if (agent === undefined) throw missing(uid ?? '');
        return { principal: `agents/${uid}`, uid: uid ?? '', agent, agentRoles: ['vm', 'bmc'] };
      },
    });
    service(SecretService, secrets.implementation);
    service(ProjectService, {
      getProject: ({ name }) => {
        if (!['projects/red', 'projects/blue'].includes(name.toLowerCase())) throw missing(name);
        return { project: { name: name.toLowerCase(), spec: { contacts } } };
      },
    });
  });
  const inventory = createRouterTransport(({ service }) => {
    service(DiscoveryService, {
      recordDiscoveries: ({ found }) => {
        discovered.push(...found.map(({ address }) => address));
        return { created: found.length };
      },
    });
    service(PartitionService, {
      getPartition: ({ name }) => {
        if (name.toLowerCase() !== 'partitions/lab') throw missing(name);
        return { partition: { name: 'partitions/lab' } };
      },
    });
    service(ProviderService, {
      getProvider: ({ name }) => {
        if (away.has('inventory')) throw gone('inventory');
        const found = all().find((one) => one.name === name || name.endsWith(one.uid));
        if (found === undefined) throw missing(name);
        return { provider: found };
      },
      recordProviderFacts: (request) => {
        const found = all().find((one) => one.name === request.name);
        if (found === undefined) throw missing(request.name);
        if (away.has('inventory')) throw gone('inventory');
        recorded.push(request);
        const { problem } = request;
        if (problem !== undefined || found.status?.problem !== undefined) {
          found.status = create(ProviderStatusSchema, problem === undefined ? {} : { problem });
          providerBell.ring();
        }
        return { provider: found, conflicts: [...conflicts] };
      },
      watchProviders: async function* (_, { signal }) {
        yield { events: all().map((value) => ({ event: { case: 'created', value } })) };
        yield { events: [{ event: { case: 'synced', value: {} } }], resumeToken: 't' };
        while (!signal.aborted) {
          await providerBell.rung(signal);
          const events = all().map((value) => ({ event: { case: 'updated' as const, value } }));
          yield { events, resumeToken: 't' };
        }
      },
    });
  });
  const scheduler = createRouterTransport(({ service }) => {
    service(CapacityService, {
      setCapacity: (request) => {
        if (away.has('scheduler')) throw gone('scheduler');
        if (capacityRefusal !== undefined) throw capacityRefusal;
        offers.push(request);
        return { revision: 1n };
      },
      listUsage: ({ providerUid }) => {
        if (away.has('scheduler')) throw gone('scheduler');
        const last = offers.findLast((offer) => offer.providerUid === providerUid);
        if (last === undefined) return {};
        const held = [...claims.values()].flatMap(({ status }) => status?.allocations ?? []);
        const resources = held
          .filter((one) => one.providerUid === providerUid && one.finishTime === undefined)
          .map(({ resourceType, amount: used }) => ({ resourceType, used }));
        return { usages: [{ providerUid, closed: last.closed, resources }] };
      },
    });
    service(ClaimService, {
      createClaim: (request, { requestHeader }) => {
        if (refusal !== undefined) throw refusal;
        const header = requestHeader.get(ON_BEHALF_OF);
        claimers.push(header === null ? 'nobody' : decodeOnBehalfOf(header).principal);
        const known = requests.get(request.requestId);
        if (known !== undefined) return { claim: known };
        const name = `${request.parent}/claims/${request.claimId}`;
        if (claims.has(name)) throw new ConnectError('taken', Code.AlreadyExists);
        const claim = newClaim(request, name, placeFor(request));
        claims.set(name, claim);
        requests.set(request.requestId, claim);
        claimBell.ring();
        return { claim };
      },
      getClaim: ({ name }) => ({ claim: find(name) }),
      watchClaims: async function* (_, { signal }) {
        while (!signal.aborted) {
          // Before the claims are read: a change while they are on their way counts for the next
          // turn.
          const changed = claimBell.rung(signal);
          const events = [...claims.values()].map((claim) => ({
            event: { case: 'updated' as const, value: claim },
          }));
          yield { events, resumeToken: 't' };
          looks += 1;
          await changed;
        }
      },
      beginRelease: ({ name }) => {
        const claim = find(name);
        if (claim.status?.state === ClaimState.ACTIVE) claim.status.state = ClaimState.RELEASING;
        claimBell.ring();
        return { claim };
      },
      finishRelease: ({ name, providerUid }) => {
        if (away.has('scheduler')) throw gone('scheduler');
        finishes.push(`${name} ${providerUid}`);
        const claim = find(name);
        for (const allocation of claim.status?.allocations ?? []) {
          if (allocation.providerUid === providerUid) allocation.finishTime = timestampFromMs(1);
        }
        const isOver = claim.status?.allocations.every((one) => one.finishTime !== undefined);
        if (isOver && claim.status !== undefined) claim.status.state = ClaimState.RELEASED;
        claimBell.ring();
        return { claim };
      },
    });
  });
  return {
    transports: { identity, inventory, scheduler },
    claims,
    claimers,
    offers,
    provider,
    agents,
    people,
    secrets: secrets.values,
    contacts,
    recorded,
    conflicts,
    finishes,
    discovered,
    away,
    refuse: (error) => {
      refusal = error;
    },
    refuseCapacity: (error) => {
      capacityRefusal = error;
    },
    addProvider: (one) => {
      others.push(one);
      providerBell.ring();
    },
    changeProvider: (change) => {
      change(provider);
      provider.generation += 1n;
      providerBell.ring();
    },
    noCapacity: () =>
      toConnectError(
        resourceExhausted('NO_CAPACITY', 'No provider has room: runm.memory removed 3 of 3', {
          removedBy: { 'capability vm.qemu': 0, 'runm.memory': 3 },
        }),
      ),
    looks: () => looks,
    tellClaim: () => claimBell.ring(),
  };
};

const introspected = ({ principal, uid, grants }: Identity) => ({
  principal,
  uid,
  grants: grants.map(({ role, permissions, partition, project }) => ({
    grant: {
      role: `roles/${role}`,
      partition: partition === undefined ? '' : `partitions/${partition}`,
      project: project === undefined ? '' : `projects/${project}`,
    },
    permissions: [...permissions],
  })),
});

const gone = (service: string): ConnectError =>
  toConnectError(unavailable('SERVICE_UNAVAILABLE', `${service} does not answer`));

const missing = (name: string): ConnectError =>
  toConnectError(notFound('NOT_FOUND', `"${name}" does not exist`, { metadata: { name } }));

const newProvider = (agentName: string): Provider =>
  create(ProviderSchema, {
    name: PROVIDER,
    uid: systemRandom.uid(),
    generation: 1n,
    spec: {
      type: ProviderType.VM_HOST,
      capabilities: ['vm.qemu'],
      inventories: [
        { resourceType: 'runm.cpu.shared', total: 4n, allocationRatioMilli: 4000 },
        { resourceType: 'runm.memory', total: 8n * 1024n ** 3n, reserved: 1024n ** 3n },
      ],
      agentPools: [{ role: 'vm', agents: [agentName] }],
    },
  });

const newClaim = (request: CreateClaimRequest, name: string, provider: Provider): Claim => {
  const groups = request.claim?.spec?.groups ?? [];
  return create(ClaimSchema, {
    name,
    uid: systemRandom.uid(),
    createTime: timestampFromMs(Date.parse('2026-01-01')),
    ...(request.claim?.spec !== undefined && { spec: request.claim.spec }),
    status: {
      state: ClaimState.ACTIVE,
      allocations: groups.flatMap((group) =>
        group.resources.map((one) =>
          create(AllocationSchema, {
            group: group.name === '' ? 'main' : group.name,
            index: 0,
            providerUid: provider.uid,
            provider: provider.name,
            resourceType: one.resourceType,
            amount: one.amount,
          }),
        ),
      ),
    },
  });
};

/** Wakes all who wait; whoever comes later waits for the next ring. */
const createBell = () => {
  let next = Promise.withResolvers<void>();
  return {
    ring: () => {
      next.resolve();
      next = Promise.withResolvers<void>();
    },
    rung: (signal: AbortSignal): Promise<void> => {
      const ended = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => ended.resolve(), { once: true });
      if (signal.aborted) ended.resolve();
      return Promise.race([next.promise, ended.promise]);
    },
  };
};
