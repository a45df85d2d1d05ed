/** What people do with a server of the rack in a day, and how they see that it is done. */
import { create, enumToJson } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { LabServerStatus } from '../../../deploy/lab/control-protocol.ts';
import type { Problem } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import {
  type MachineSpec,
  MachineSpecSchema,
  MachineState,
  MachineStateSchema,
  MachineType,
} from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  ProviderLifeState as Life,
  ProviderLifeStateSchema,
  type ProviderState,
} from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { persist } from './patience.ts';
import { PARTITION, recordsOf, type Site, TENANT } from './site.ts';

export const VERBS = ['enrol', 'create', 'stop', 'start', 'delete'] as const;
export type Verb = (typeof VERBS)[number];

/** One server on one day. */
export type Day = {
  readonly server: LabServerStatus;
  readonly machineId: string;
  /** Known once it is enrolled. */
  providerUid: string;
};

/** `stuck`: it will not get there by itself; the problem says why, and the exit is the cure. */
export type Seen =
  | { readonly kind: 'done' }
  | { readonly kind: 'under way'; readonly where: string }
  | {
      readonly kind: 'stuck';
      readonly where: string;
      readonly problem: Problem | undefined;
      readonly exit: () => Promise<unknown>;
    };

const DONE: Seen = { kind: 'done' };
const SCOPE = `${PARTITION}/${TENANT}`;
const requestId = systemRandom.requestId;

export const machineName = ({ machineId }: Day): string => `${SCOPE}/machines/${machineId}`;
export const providerName = ({ server }: Day): string => `${PARTITION}/providers/${server.name}`;

/** Asks for it once, however often the control plane dies meanwhile. */
export const ask = async (site: Site, day: Day, verb: Verb): Promise<void> => {
  const { machines } = site.clients;
  const asked = { name: machineName(day), requestId: requestId() };
  switch (verb) {
    case 'enrol':
      return enrol(site, day);
    case 'create':
      return createOne(site, day);
    case 'stop':
      await persist('stop', () => machines.stopMachine(asked));
      return;
    case 'start':
      await persist('start', () => machines.startMachine(asked));
      return;
    case 'delete':
      await persist('delete', () => machines.deleteMachine(asked));
  }
};

const enrol = async ({ clients, rack }: Site, day: Day): Promise<void> => {
  const name = providerName(day);
  const provider = recordsOf(rack).providers.find((one) => one.name === name);
  if (provider === undefined) throw new Error(`the rack has no ${name}`);
  const asked = {
    parent: PARTITION,
    providerId: day.server.name,
    provider,
    requestId: requestId(),
  };
  const made = await persist('enrol', () => clients.providers.createProvider(asked));
  day.providerUid = made.provider?.uid ?? '';
};

const createOne = async ({ clients }: Site, day: Day): Promise<void> => {
  const asked = {
    parent: SCOPE,
    machineId: day.machineId,
    machine: { spec: specOn(day) },
    requestId: requestId(),
  };
  await persist('create', () => clients.machines.createMachine(asked));
};

const specOn = (day: Day): MachineSpec =>
  create(MachineSpecSchema, {
    type: MachineType.BARE_METAL,
    boot: { source: { case: 'none', value: {} } },
    provider: providerName(day),
  });

export const look = async (site: Site, day: Day, verb: Verb): Promise<Seen> => {
  switch (verb) {
    case 'enrol':
      return lookAtProvider(site, day);
    case 'create':
    case 'start':
      return lookAtMachine(site, day, MachineState.ACTIVE);
    case 'stop':
      return lookAtMachine(site, day, MachineState.STOPPED);
    case 'delete': {
      const machine = await lookAtMachine(site, day, MachineState.GONE);
      return machine.kind === 'done' ? lookAtProvider(site, day) : machine;
    }
  }
};

const lookAtProvider = async ({ clients }: Site, day: Day): Promise<Seen> => {
  const name = `${providerName(day)}/state`;
  const { providerState } = await clients.states.getProviderState({ name });
  if (providerState === undefined) throw new Error(`no state of ${name}`);
  const { state, inUse, useUnknown, cleanings, problem } = providerState;
  const where = shownState(providerState);
  const asked = () => ({ name, requestId: requestId(), reason: 'a test' });
  if (state === Life.INSPECT_FAILED) {
    const exit = () => clients.states.inspectProvider(asked());
    return { kind: 'stuck', where, problem, exit };
  }
  const failed = cleanings.find((one) => one.state === Life.CLEAN_FAILED);
  if (failed !== undefined || state === Life.CLEAN_FAILED) {
    const exit = () => clients.states.cleanProvider(asked());
    return { kind: 'stuck', where, problem: failed?.problem ?? problem, exit };
  }
  const isFree = !inUse && !useUnknown && cleanings.length === 0;
  if (state === Life.AVAILABLE && isFree) return DONE;
  return { kind: 'under way', where };
};

const lifeOf = (state: Life) => enumToJson(ProviderLifeStateSchema, state);

const shownState = ({ state, inUse, cleanings, problem }: ProviderState): string => {
  const all = cleanings.map((one) => `${lifeOf(one.state)} ${one.problem?.message ?? ''}`);
  const why = problem?.message ?? '';
  return `provider ${lifeOf(state)}${inUse ? ', in use' : ''} ${why} [${all.join('; ')}]`;
};

const lookAtMachine = async ({ clients }: Site, day: Day, goal: MachineState): Promise<Seen> => {
  const name = machineName(day);
  const found = await clients.machines.getMachine({ name }).catch((error: unknown) => {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  });
  const status = found?.machine?.status;
  const state = status?.state ?? MachineState.GONE;
  const why = status?.problem?.message ?? '';
  const where = `machine ${enumToJson(MachineStateSchema, state)} ${why}`;
  const problem = status?.problem;
  if (state === goal && (status?.operation ?? '') === '') return DONE;
  if (!FAILED.has(state)) return { kind: 'under way', where };
  const asked = { name, requestId: requestId() };
  const exit = (): Promise<unknown> => {
    if (state === MachineState.RELEASE_FAILED) return clients.machines.deleteMachine(asked);
    const isToStop = goal === MachineState.STOPPED;
    return isToStop ? clients.machines.stopMachine(asked) : clients.machines.startMachine(asked);
  };
  return { kind: 'stuck', where, problem, exit };
};

const FAILED = new Set<MachineState>([
  MachineState.PREPARE_FAILED,
  MachineState.BOOT_FAILED,
  MachineState.RELEASE_FAILED,
]);

/** The server leaves the inventory, so that the next day begins with its enrolment. */
export const forget = ({ clients }: Site, day: Day): Promise<unknown> => {
  const asked = { name: providerName(day), allowMissing: true, requestId: requestId() };
  return persist('forget', () => clients.providers.deleteProvider(asked));
};
