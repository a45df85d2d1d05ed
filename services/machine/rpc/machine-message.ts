/** Machines as messages and back: the edge at which the contract's enums become our own words. */
import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
} from '@bufbuild/protobuf/wkt';
import {
  type Problem as ProblemMessage,
  ProblemSchema,
} from '../../../gen/runmachine/common/v1/problem_pb.ts';
import {
  type PropertyValue,
  PropertyValueSchema,
} from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type Boot as BootMessage,
  type PortForward as PortForwardMessage,
  PortForwardSchema,
  type ReadyWhen as ReadyWhenMessage,
  ReadyWhenSchema,
} from '../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import {
  type Machine as MachineMessage,
  MachineSchema,
  type MachineSpec as MachineSpecMessage,
  PowerState,
  MachineState as StateMessage,
  MachineType as TypeMessage,
} from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import { bootDeviceMessage, serverBootDevice } from '../boot-device-message.ts';
import type { MachineState } from '../domain/lifecycle.ts';
import {
  type Boot,
  type BootReport,
  isMetal,
  type Machine,
  type MachineSpec,
  type MachineType,
  machineName,
  type PortForward,
  type Power,
  type Problem,
  type ReadyWhen,
} from '../domain/machine.ts';
import { operationName } from '../domain/operation.ts';

export const STATE: Readonly<Record<MachineState, StateMessage>> = {
  requested: StateMessage.REQUESTED,
  preparing: StateMessage.PREPARING,
  booting: StateMessage.BOOTING,
  active: StateMessage.ACTIVE,
  stopping: StateMessage.STOPPING,
  stopped: StateMessage.STOPPED,
  paused: StateMessage.PAUSED,
  releasing: StateMessage.RELEASING,
  gone: StateMessage.GONE,
  prepare_failed: StateMessage.PREPARE_FAILED,
  boot_failed: StateMessage.BOOT_FAILED,
  release_failed: StateMessage.RELEASE_FAILED,
};

const TYPE: Readonly<Record<MachineType, TypeMessage>> = {
  any: TypeMessage.ANY,
  bare_metal: TypeMessage.BARE_METAL,
  virtual: TypeMessage.VIRTUAL,
};

const POWER: Readonly<Record<Power, PowerState>> = {
  on: PowerState.ON,
  off: PowerState.OFF,
  paused: PowerState.PAUSED,
  unknown: PowerState.UNKNOWN,
};

const inverse = <K extends string, V extends number>(record: Readonly<Record<K, V>>) => {
  const keys = Object.keys(record).filter((key): key is K => key in record);
  return new Map<number, K>(keys.map((key) => [record[key], key]));
};

const STATES = inverse(STATE);
const TYPES = inverse(TYPE);
const POWERS = inverse(POWER);

/** States as a caller names them; unknown ones match nothing and are left out. */
export const statesOf = (states: readonly StateMessage[]): readonly MachineState[] =>
  states.flatMap((state) => STATES.get(state) ?? []);

export const powerOf = (power: PowerState): Power => POWERS.get(power) ?? 'unknown';

export const at = (ms: number | null): Timestamp | undefined =>
  ms === null ? undefined : timestampFromMs(ms);

/** Absent keys instead of undefined values, as the generated types want them. */
export const given = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [key in K]: V });

export const machineMessage = (machine: Machine, incarnation: number): MachineMessage => {
  const { observed, holding } = machine;
  const device = isMetal(machine) ? serverBootDevice(machine) : undefined;
  return create(MachineSchema, {
    name: machineName(machine),
    uid: machine.uid,
    etag: etagOf(machine, incarnation),
    generation: BigInt(machine.generation),
    createTime: timestampFromMs(machine.createMs),
    updateTime: timestampFromMs(machine.updateMs),
    ...given('deleteTime', at(machine.deleteMs)),
    properties: propertyMessages(machine.properties),
    tags: [...machine.tags],
    spec: specMessage(machine.spec),
    status: {
      state: STATE[machine.state],
      ...given('problem', problemMessage(machine.problem)),
      operation:
        machine.operationUid === null ? '' : operationName(machine.partition, machine.operationUid),
      claim: holding?.claim ?? '',
      provider: holding?.provider ?? '',
      providerUid: holding?.providerUid ?? '',
      power: observed === null ? PowerState.UNSPECIFIED : POWER[observed.power],
      ...given('powerObserveTime', at(observed?.timeMs ?? null)),
      observedGeneration: BigInt(observed?.generation ?? 0),
      wantedPower: POWER[machine.wanted.power],
      ...given('boot', bootReportMessage(observed?.boot ?? null)),
      ports: (observed?.ports ?? []).map((port) => create(PortForwardSchema, port)),
      emulated: observed?.emulated ?? false,
      ...given('readyTime', at(machine.readyMs)),
      type: isMetal(machine) ? TypeMessage.BARE_METAL : TypeMessage.VIRTUAL,
      ...given('bootDevice', device && bootDeviceMessage(device)),
    },
  });
};

const bootReportMessage = (boot: BootReport | null) =>
  boot === null
    ? undefined
    : {
        bootCount: BigInt(boot.bootCount),
        ...given('startTime', at(boot.startMs)),
        ...given('kernelTime', at(boot.kernelMs)),
        ...given('phoneHomeTime', at(boot.phoneHomeMs)),
        bootId: boot.bootId,
        kernelRelease: boot.kernelRelease,
        hostname: boot.hostname,
      };

export const problemMessage = (problem: Problem | null): ProblemMessage | undefined =>
  problem === null
    ? undefined
    : create(ProblemSchema, {
        reason: problem.reason,
        message: problem.message,
        since: timestampFromMs(problem.sinceMs),
        ...given('retryTime', at(problem.retryMs)),
      });

export const propertyMessages = (properties: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [
      key,
      fromJson(PropertyValueSchema, value as JsonValue),
    ]),
  );

export const propertiesOf = (messages: Readonly<Record<string, PropertyValue>>) =>
  Object.fromEntries(
    Object.entries(messages).map(([key, value]) => [key, toJson(PropertyValueSchema, value)]),
  );

export const specMessage = (spec: MachineSpec) => ({
  type: TYPE[spec.type],
  cpus: spec.cpus,
  memoryBytes: BigInt(spec.memoryBytes),
  diskBytes: BigInt(spec.diskBytes),
  ...given('boot', spec.boot === null ? undefined : { source: bootSourceMessage(spec.boot) }),
  ...given('readyWhen', spec.readyWhen === null ? undefined : readyMessage(spec.readyWhen)),
  ports: spec.ports.map((port) => create(PortForwardSchema, port)),
  claim: spec.claim,
  ...given(
    'bootTimeout',
    spec.bootTimeoutMs === null ? undefined : durationFromMs(spec.bootTimeoutMs),
  ),
  provider: spec.provider,
});

const bootSourceMessage = (boot: Boot) => {
  switch (boot.kind) {
    case 'image':
      return { case: 'image' as const, value: boot.image };
    case 'media':
      return { case: 'media' as const, value: boot.image };
    case 'network':
      return { case: 'network' as const, value: {} };
    case 'none':
      return { case: 'none' as const, value: {} };
    default:
      return boot satisfies never;
  }
};

const readyMessage = (ready: ReadyWhen): ReadyWhenMessage => {
  switch (ready.kind) {
    case 'phone_home':
      return create(ReadyWhenSchema, { condition: { case: 'phoneHome', value: {} } });
    case 'running':
      return create(ReadyWhenSchema, { condition: { case: 'running', value: {} } });
    case 'tcp_port':
      return create(ReadyWhenSchema, { condition: { case: 'tcpPort', value: ready.port } });
    case 'console_text':
      return create(ReadyWhenSchema, { condition: { case: 'consoleText', value: ready.text } });
    default:
      return ready satisfies never;
  }
};

export const specOf = (spec: MachineSpecMessage | undefined): MachineSpec => ({
  type: TYPES.get(spec?.type ?? TypeMessage.ANY) ?? 'any',
  cpus: spec?.cpus ?? 0,
  memoryBytes: Number(spec?.memoryBytes ?? 0n),
  diskBytes: Number(spec?.diskBytes ?? 0n),
  boot: bootOf(spec?.boot),
  readyWhen: readyWhenOf(spec?.readyWhen),
  ports: (spec?.ports ?? []).map(portOf),
  claim: spec?.claim ?? '',
  bootTimeoutMs: spec?.bootTimeout === undefined ? null : durationMs(spec.bootTimeout),
  provider: spec?.provider ?? '',
});

const bootOf = (boot: BootMessage | undefined): Boot | null => {
  switch (boot?.source.case) {
    case 'image':
      return { kind: 'image', image: boot.source.value };
    case 'media':
      return { kind: 'media', image: boot.source.value };
    case 'network':
      return { kind: 'network' };
    case 'none':
      return { kind: 'none' };
    default:
      return null;
  }
};

const readyWhenOf = (ready: ReadyWhenMessage | undefined): ReadyWhen | null => {
  switch (ready?.condition.case) {
    case 'phoneHome':
      return { kind: 'phone_home' };
    case 'running':
      return { kind: 'running' };
    case 'tcpPort':
      return { kind: 'tcp_port', port: ready.condition.value };
    case 'consoleText':
      return { kind: 'console_text', text: ready.condition.value };
    default:
      return null;
  }
};

export const portOf = (port: PortForwardMessage): PortForward => ({
  guestPort: port.guestPort,
  hostPort: port.hostPort,
  protocol: port.protocol === 'udp' ? 'udp' : 'tcp',
  hostAddress: port.hostAddress === '' ? '127.0.0.1' : port.hostAddress,
});
