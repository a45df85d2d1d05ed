/**
 * Which agent works at the controller of a provider: a lease row, so that a pool of agents shares
 * the work and no two of them work at one controller. It is sticky and moves when its agent's
 * session has ended, inventory took the agent out of the pool or the agent cannot reach the
 * controller; what the agent was told about servers there moves with it.
 */
import type { Logger } from '../../runtime/log.ts';
import { agentKeyOf, type ProviderView } from '../domain/capacity.ts';
import { withoutMissed } from '../domain/reach.ts';
import type { HardwareLease } from '../hardware-ports.ts';
import type { Controllers } from '../order-port.ts';
import type { Records } from '../ports.ts';
import { favourite, moveServers } from './controller-moves.ts';
import { createGathered } from './gathered.ts';
import { hasReached, type PassOverDeps, passOver } from './pass-over.ts';

type Deps = PassOverDeps & {
  readonly records: PassOverDeps['records'] & Pick<Records, 'agents'>;
  readonly log: Logger;
};

const ACTOR = { principal: 'services/machine', requestId: 'controllers' };

const TOGETHER_MAX = 64;

export const createControllers = (deps: Deps): Controllers => {
  const find = createGathered<ProviderView, Found>((all) => findAll(deps, all), TOGETHER_MAX);
  const placeFor: Controllers['placeFor'] = async (provider) => {
    const { bmcAgents: pool, uid: providerUid } = provider;
    if (pool.length === 0) return { agentKey: '', missed: [] };
    const { lease, up } = await find(provider);
    const { agentKey: holder, missed } = lease ?? { agentKey: '', missed: [] };
    if (up.includes(holder)) return { agentKey: holder, missed };
    if (up.length === 0 && pool.includes(holder)) return { agentKey: holder, missed };
    const fitting = withoutMissed(missed, up);
    const others = up.length > 0 ? up : pool;
    const next = favourite(providerUid, fitting.length > 0 ? fitting : others);
    const given = await give(deps, provider, { agentKey: next, epoch: lease?.epoch ?? 0 });
    if (given !== undefined) return given;
    // Somebody else gave it in between: what is written counts.
    const [now] = await findAll(deps, [provider]);
    return now?.lease ?? { agentKey: next, missed };
  };
  return {
    placeFor,
    agentFor: async (provider) => (await placeFor(provider)).agentKey,
    missed: async (provider, missing) => {
      if (provider.bmcAgents.length < 2) return 'kept';
      const [found] = await findAll(deps, [provider]);
      const { lease, up = [] } = found ?? {};
      return passOver(deps, provider, { ...missing, lease, up });
    },
    reached: (provider, place) => hasReached(deps, provider, place),
  };
};

type Found = { readonly lease: HardwareLease | undefined; readonly up: readonly string[] };

/** Who has the controllers, and who of their pools is up. */
const findAll = (
  { store, records }: Deps,
  providers: readonly ProviderView[],
): Promise<readonly Found[]> =>
  store.read(async (reader) => {
    const uids = providers.map(({ uid }) => uid);
    const leases = await records.hardware.findLeases(reader, uids);
    const pools = new Set(providers.flatMap(({ bmcAgents }) => bmcAgents));
    const agents = await records.agents.findManyByKey(reader, [...pools]);
    const up = new Set(agents.filter(({ state }) => state === 'up').map(agentKeyOf));
    return providers.map(({ uid, bmcAgents }) => ({
      lease: leases.find(({ providerUid }) => providerUid === uid),
      up: bmcAgents.filter((key) => up.has(key)),
    }));
  });

const give = async (
  deps: Deps,
  { uid: providerUid, partition }: ProviderView,
  to: { readonly agentKey: string; readonly epoch: number },
): Promise<HardwareLease | undefined> => {
  const given = await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const lease = await deps.records.hardware.giveLease(tx, { providerUid, partition, ...to });
    if (lease !== undefined) await moveServers(deps, tx, lease);
    return lease;
  });
  if (given !== undefined && to.epoch > 0) {
    deps.log.info({ provider: providerUid, ...to }, 'a controller has another agent');
  }
  return given;
};

type MoveDeps = Deps & { readonly findProvider: (uid: string) => ProviderView | undefined };

const BITE = 500;

/** Gives what lies with agents that have no session to others; by whoever sweeps the partition. */
export const moveStranded = async (
  deps: MoveDeps,
  controllers: Controllers,
  partition: string,
): Promise<void> => {
  const stranded = await deps.store.read((reader) =>
    deps.records.hardware.stranded(reader, { partition, limit: BITE }),
  );
  for (const { providerUid } of stranded) {
    const provider = deps.findProvider(providerUid);
    if (provider !== undefined) await controllers.agentFor(provider);
  }
};
