/**
 * Assignments lie in the database as the message that agents get, so that sending one is a read.
 */
import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  AssignmentSchema,
  BootKind,
  type VirtualMachine as VirtualMachineMessage,
  VirtualMachineSchema,
  WantedPower as WantedPowerMessage,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import {
  PortForwardSchema,
  ReadyWhenSchema,
} from '../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import { type BootSource, digestsOf } from '../domain/boot-source.ts';
import type { Machine, ReadyWhen, WantedPower } from '../domain/machine.ts';
import { type VirtualMachine, virtualMachineOf } from '../domain/virtual-machine.ts';
import type { AssignmentRow } from '../ports.ts';

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
  readonly absent: boolean;
};

/** The row that tells the agent what the machine is to be, or that it must not exist. */
export const assignmentOf = (machine: Machine, addressed: Addressed): AssignmentRow => {
  const { incarnation, agentKey, absent } = addressed;
  const content = absent ? undefined : virtualMachineMessage(virtualMachineOf(machine));
  const contentBytes =
    content === undefined ? new Uint8Array() : toBinary(VirtualMachineSchema, content);
  const digest = createHash('sha256').update(contentBytes).digest();
  const providerUid = machine.holding?.providerUid ?? '';
  const message = create(AssignmentSchema, {
    uid: machine.uid,
    incarnation: BigInt(incarnation),
    generation: BigInt(machine.generation),
    digest,
    providerUid,
    content:
      content === undefined
        ? { case: 'absent', value: {} }
        : { case: 'virtualMachine', value: content },
  });
  return {
    uid: machine.uid,
    incarnation,
    generation: machine.generation,
    digest: digest.toString('hex'),
    partition: machine.partition,
    providerUid,
    agentKey,
    absent,
    gone: false,
    isServer: false,
    digests: absent ? [] : digestsOf(machine.resolved.boot),
    secrets: [],
    bytes: toBinary(AssignmentSchema, message),
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

export const readyWhenMessage = (ready: ReadyWhen) => {
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
