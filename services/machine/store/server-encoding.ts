/** What an agent is told about a whole server. */
import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Server,
  ServerSchema,
  WantedPower as WantedPowerMessage,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { bootDeviceMessage, serverBootDevice } from '../boot-device-message.ts';
import type { ControllerView } from '../domain/capacity.ts';
import { type Machine, machineName, type WantedPower } from '../domain/machine.ts';
import { controllerMessage } from '../order-port.ts';
import { readyWhenMessage } from './ready-when-encoding.ts';

/** Paused is no power of a server; verbs refuse it. */
const POWER: Readonly<Record<WantedPower, WantedPowerMessage>> = {
  on: WantedPowerMessage.ON,
  off: WantedPowerMessage.OFF,
  paused: WantedPowerMessage.ON,
};

export const serverMessage = (machine: Machine, controller: ControllerView | undefined): Server => {
  const { wanted, resolved, holding, observed } = machine;
  const device = serverBootDevice(machine);
  return create(ServerSchema, {
    name: machineName(machine),
    provider: holding?.provider ?? '',
    ...(controller !== undefined && { controller: controllerMessage(controller) }),
    power: POWER[wanted.power],
    bootGeneration: BigInt(wanted.bootGeneration),
    ...(wanted.forceAfterMs !== null && { forceAfter: durationFromMs(wanted.forceAfterMs) }),
    ...(device !== undefined && { bootDevice: bootDeviceMessage(device) }),
    readyWhen: readyWhenMessage(resolved.readyWhen),
    access: wanted.access ?? true,
    bootedGeneration: BigInt(observed?.bootGeneration ?? 0),
  });
};
