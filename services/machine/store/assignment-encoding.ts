/**
 * Assignments lie in the database as the message that agents get, so that sending one is a read.
 */
import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  AbsentSchema,
  type Assignment,
  AssignmentSchema,
  BootKind,
  MovedSchema,
  ServerSchema,
  type VirtualMachine as VirtualMachineMessage,
  VirtualMachineSchema,
  WantedPower as WantedPowerMessage,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { PortForwardSchema } from '../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import { type BootSource, digestsOf } from '../domain/boot-source.ts';
import type { ControllerView } from '../domain/capacity.ts';
import { isMetal, type Machine, type WantedPower } from '../domain/machine.ts';
import type { AssignmentChange } from '../domain/view.ts';
import { type VirtualMachine, virtualMachineOf } from '../domain/virtual-machine.ts';
import { controllerMessage } from '../order-port.ts';
import type { AssignmentRow } from '../ports.ts';
import { readyWhenMessage } from './ready-when-encoding.ts';
import { serverMessage } from './server-encoding.ts';

const POWER: Readonly<Record<WantedPower, WantedPowerMessage>> = {
  on: WantedPowerMessage.ON,
  off: WantedPowerMessage.OFF,
  paused: WantedPowerMessage.PAUSED,
};

const BOOT_KIND: Readonly<Record<BootSource['kind'], BootKind>> = {
  kernel: BootKind.KERNEL,
  disk: BootKind.DISK,
  media: BootKind.MEDIA,
  network: BootKind.NETWORK,
  none: BootKind.NONE,
};

type Addressed = {
  readonly incarnation: number;
  /** Lower-case name of the agent; empty = the provider names none yet. */
  readonly agentKey: string;
  readonly change: AssignmentChange;
  /** Of a server: how its controller is reached; absent = nobody knows. */
  readonly controller?: ControllerView | undefined;
};

/** The row that tells the agent what the machine is to be, or that it must not exist. */
export const assignmentOf = (machine: Machine, addressed: Addressed): AssignmentRow => {
  const { incarnation, agentKey, change, controller } = addressed;
  const { case: kind, value, bytes: contentBytes } = contentOf(machine, addressed);
  const digest = createHash('sha256').update(contentBytes).digest();
  const providerUid = machine.holding?.providerUid ?? '';
  const message = create(AssignmentSchema, {
    uid: machine.uid,
    incarnation: BigInt(incarnation),
    generation: BigInt(machine.generation),
    digest,
    providerUid,
    content: { case: kind, value } as Assignment['content'],
  });
  const isServer = isMetal(machine);
  const secret = isServer ? (controller?.secret ?? '').toLowerCase() : '';
  return {
    uid: machine.uid,
    incarnation,
    generation: machine.generation,
    digest: digest.toString('hex'),
    partition: machine.partition,
    providerUid,
    agentKey,
    absent: change !== 'put',
    gone: change === 'let-go',
    isServer,
    digests: change === 'put' ? digestsOf(machine.resolved.boot) : [],
    // Whoever is to switch it off reads it too.
    secrets: secret === '' ? [] : [secret],
    bytes: toBinary(AssignmentSchema, message),
  };
};

const contentOf = (machine: Machine, { change, controller }: Addressed) => {
  const provider = machine.holding?.provider ?? '';
  const site = controller === undefined ? {} : { controller: controllerMessage(controller) };
  if (change === 'let-go') {
    const value = create(MovedSchema);
    return { case: 'moved' as const, value, bytes: toBinary(MovedSchema, value) };
  }
  if (change === 'absent') {
    const value = create(AbsentSchema, isMetal(machine) ? { provider, ...site } : {});
    return { case: 'absent' as const, value, bytes: toBinary(AbsentSchema, value) };
  }
  if (isMetal(machine)) {
    const value = serverMessage(machine, controller);
    return { case: 'server' as const, value, bytes: toBinary(ServerSchema, value) };
  }
  const value = virtualMachineMessage(virtualMachineOf(machine));
  return {
    case: 'virtualMachine' as const,
    value,
    bytes: toBinary(VirtualMachineSchema, value),
  };
};

const virtualMachineMessage = (wanted: VirtualMachine): VirtualMachineMessage => {
  const { boot } = wanted;
  const { power, bootGeneration, forceAfterMs } = wanted.wanted;
  return create(VirtualMachineSchema, {
    name: wanted.name,
    hostname: wanted.hostname,
    cpus: wanted.cpus,
    memoryBytes: BigInt(wanted.memoryBytes),
    diskBytes: BigInt(wanted.diskBytes),
    boot: {
      kind: BOOT_KIND[boot.kind],
      kernelSha256: boot.kernelSha256,
      initrdSha256: boot.initrdSha256,
      diskSha256: boot.diskSha256,
      diskFormat: boot.diskFormat,
      mediaSha256: boot.mediaSha256,
      commandLine: boot.commandLine,
    },
    readyWhen: readyWhenMessage(wanted.readyWhen),
    ports: wanted.ports.map((port) => create(PortForwardSchema, port)),
    power: POWER[power],
    bootGeneration: BigInt(bootGeneration),
    ...(forceAfterMs !== null && { forceAfter: durationFromMs(forceAfterMs) }),
  });
};
