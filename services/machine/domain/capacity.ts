/** What a VM host offers, as the scheduler is told when its agent is there. */
export type Inventory = {
  readonly resourceType: string;
  readonly total: number;
  readonly reserved: number;
  readonly minUnit: number;
  readonly maxUnit: number;
  readonly stepSize: number;
  readonly ratioMilli: number;
};

export type Offer = {
  readonly resourceType: string;
  readonly usable: number;
  readonly minUnit: number;
  readonly maxUnit: number;
  readonly stepSize: number;
};

/** How the management controller of a provider is reached; never shown to a tenant. */
export type ControllerView = {
  readonly type: 'redfish' | 'ipmi' | 'any';
  readonly address: string;
  /** Of IPMI beside Redfish; empty = the same host at its own port. */
  readonly ipmiAddress: string;
  /** Name of the secret with user and password; empty = none. */
  readonly secret: string;
  /** SHA-256 of its certificate in hexadecimal; empty = none is pinned yet. */
  readonly certificateSha256: string;
};

export type ProviderView = {
  readonly uid: string;
  readonly name: string;
  readonly partition: string;
  readonly isVmHost: boolean;
  /** A server that a tenant may own whole. */
  readonly isMetal: boolean;
  /** Nothing may disturb what runs there: see never-provision.ts. */
  readonly isNeverProvisioned: boolean;
  readonly generation: number;
  readonly inventories: readonly Inventory[];
  /** Resource names of the agents that serve it in the role vm. */
  readonly vmAgents: readonly string[];
  /** Null = it has none that can be reached over the network. */
  readonly controller: ControllerView | null;
  /** Resource names of the agents that work at its controller. */
  readonly bmcAgents: readonly string[];
  /** It is written down that its controller refuses what its secret says. */
  readonly refusesCredentials: boolean;
};

/** Whether agents of ours can do something at its controller. */
export const isControlled = ({
  controller,
  bmcAgents,
}: Pick<ProviderView, 'controller' | 'bmcAgents'>): boolean =>
  controller !== null && bmcAgents.length > 0;

/** Usable is floor((total - reserved) x ratio); the zeros of the contract are filled in. */
export const offersOf = (provider: ProviderView): readonly Offer[] =>
  provider.inventories.map((one) => ({
    resourceType: one.resourceType,
    usable: scaled(Math.max(0, one.total - one.reserved), one.ratioMilli),
    minUnit: one.minUnit === 0 ? 1 : one.minUnit,
    maxUnit: one.maxUnit === 0 ? one.total : one.maxUnit,
    stepSize: one.stepSize === 0 ? 1 : one.stepSize,
  }));

// In whole numbers: memory times a ratio leaves the range in which floating point is exact.
const scaled = (amount: number, ratioMilli: number): number =>
  Number((BigInt(amount) * BigInt(ratioMilli === 0 ? 1000 : ratioMilli)) / 1000n);

/** Agents compare without regard to case, as names do. */
export const agentKey = (name: string): string => name.toLowerCase();

type AgentPlace = { readonly partition: string; readonly agentId: string };

export const agentKeyOf = ({ partition, agentId }: AgentPlace): string =>
  agentKey(`partitions/${partition}/agents/${agentId}`);
