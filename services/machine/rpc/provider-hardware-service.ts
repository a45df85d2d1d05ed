/** What operators do at the management controllers of providers. */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { BmcAnswer } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import {
  type BootDevice,
  BootDeviceType,
  BootDeviceTypeSchema,
  PowerChange,
  PowerChangeSchema,
} from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  type ChangeProviderPowerRequest,
  ChangeProviderPowerResponseSchema,
  type ClearProviderLogRequest,
  ClearProviderLogResponseSchema,
  ProviderHardwareService,
  type SendRawRequestRequest,
  SendRawRequestResponseSchema,
  type SetProviderBootDeviceRequest,
  SetProviderBootDeviceResponseSchema,
  type SetProviderIndicatorRequest,
  SetProviderIndicatorResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { type ScanDeps, scanControllers } from './controller-scan.ts';
import { type RotateDeps, rotateCredentials } from './credential-rotation.ts';
import { changeHardware, type HardwareDeps } from './hardware-change.ts';
import { readHardware, unexpected } from './hardware-read.ts';
import { setBios } from './provider-bios.ts';
import { ejectMedia, insertMedia, mediaUrlOf } from './provider-media.ts';
import { probeProvider } from './provider-probe.ts';

export type ProviderHardwareDeps = HardwareDeps & RotateDeps & ScanDeps;

const LOG_ENTRIES = 100;

export const providerHardwareRpc = (deps: ProviderHardwareDeps): Implementation =>
  implement(ProviderHardwareService, {
    getProviderPower: async ({ name }, context) => ({
      power: powerOf(
        await readHardware(deps, context, { name, work: { case: 'readPower', value: {} } }),
      ),
    }),
    changeProviderPower: (request, context) => changePower(deps, request, context),
    getProviderBootDevice: async ({ name }, context) => {
      const work = { case: 'readBootDevice', value: {} } as const;
      return { bootDevice: bootDeviceOf(await readHardware(deps, context, { name, work })) };
    },
    setProviderBootDevice: (request, context) => setBootDevice(deps, request, context),
    probeProvider: (request, context) => probeProvider(deps, request, context),
    listProviderSensors: async ({ name }, context) => {
      const work = { case: 'readSensors', value: {} } as const;
      const { content } = await readHardware(deps, context, { name, work });
      return content.case === 'sensors'
        ? { sensors: content.value.sensors }
        : unexpected('sensors');
    },
    listProviderLogEntries: async ({ name, newest }, context) => {
      const value = { newest: newest === 0 ? LOG_ENTRIES : newest };
      const { content } = await readHardware(deps, context, {
        name,
        work: { case: 'readLog', value },
      });
      return content.case === 'log' ? { entries: content.value.entries } : unexpected('log');
    },
    clearProviderLog: (request, context) => clearLog(deps, request, context),
    setProviderIndicator: (request, context) => setIndicator(deps, request, context),
    getProviderMedia: async ({ name }, context) => {
      const work = { case: 'readMedia', value: {} } as const;
      return { url: mediaUrlOf(await readHardware(deps, context, { name, work })) };
    },
    insertProviderMedia: (request, context) => insertMedia(deps, request, context),
    ejectProviderMedia: (request, context) => ejectMedia(deps, request, context),
    listProviderBiosAttributes: async ({ name }, context) => {
      const work = { case: 'readBios', value: {} } as const;
      const { content } = await readHardware(deps, context, { name, work });
      return content.case === 'bios'
        ? { attributes: content.value.attributes }
        : unexpected('bios');
    },
    setProviderBiosAttributes: (request, context) => setBios(deps, request, context),
    sendRawRequest: (request, context) => sendRaw(deps, request, context),
    rotateProviderCredentials: (request, context) => rotateCredentials(deps, request, context),
    scanControllers: (request, context) => scanControllers(deps, request, context),
  });

const powerOf = ({ content }: BmcAnswer): PowerState =>
  content.case === 'power' ? content.value : unexpected('power');

const bootDeviceOf = ({ content }: BmcAnswer): BootDevice =>
  content.case === 'bootDevice' ? content.value : unexpected('boot_device');

const wordOf = (
  values: readonly { readonly number: number; readonly localName: string }[],
  n: number,
) => (values.find(({ number }) => number === n)?.localName ?? String(n)).toLowerCase();

/** Where it ends does not depend on how often it is done. */
const SAFE_TWICE: ReadonlySet<PowerChange> = new Set([PowerChange.ON, PowerChange.OFF]);

const changePower = (
  deps: ProviderHardwareDeps,
  request: ChangeProviderPowerRequest,
  context: HandlerContext,
) => {
  const { change } = request;
  const word = wordOf(PowerChangeSchema.values, change);
  return changeHardware(deps, context, {
    request,
    type: 'provider.power_changed',
    work: { case: 'changePower', value: { change } },
    isSafeTwice: SAFE_TWICE.has(change),
    sentence: `changed its power: ${word}`,
    said: { change: word },
    schema: ChangeProviderPowerResponseSchema,
    answer: (answer) => create(ChangeProviderPowerResponseSchema, { power: powerOf(answer) }),
  });
};

const setBootDevice = (
  deps: ProviderHardwareDeps,
  request: SetProviderBootDeviceRequest,
  context: HandlerContext,
) => {
  const { bootDevice } = request;
  const device = bootDevice ?? { type: BootDeviceType.NONE };
  const word = wordOf(BootDeviceTypeSchema.values, device.type);
  return changeHardware(deps, context, {
    request,
    type: 'provider.boot_device_set',
    work: { case: 'setBootDevice', value: { device } },
    isSafeTwice: true,
    sentence: `set from what it boots: ${word}`,
    said: { device: word, persistent: String(bootDevice?.persistent ?? false) },
    schema: SetProviderBootDeviceResponseSchema,
    answer: (answer) =>
      create(SetProviderBootDeviceResponseSchema, { bootDevice: bootDeviceOf(answer) }),
  });
};

const clearLog = (
  deps: ProviderHardwareDeps,
  request: ClearProviderLogRequest,
  context: HandlerContext,
) =>
  changeHardware(deps, context, {
    request,
    type: 'provider.log_cleared',
    work: { case: 'clearLog', value: {} },
    isSafeTwice: true,
    sentence: 'cleared the log of its controller',
    said: {},
    schema: ClearProviderLogResponseSchema,
    answer: () => create(ClearProviderLogResponseSchema),
  });

const setIndicator = (
  deps: ProviderHardwareDeps,
  request: SetProviderIndicatorRequest,
  context: HandlerContext,
) => {
  const { lit } = request;
  return changeHardware(deps, context, {
    request,
    isHarmless: true,
    type: 'provider.indicator_set',
    work: { case: 'setIndicator', value: { lit } },
    isSafeTwice: true,
    sentence: lit ? 'lit its indicator' : 'darkened its indicator',
    said: { lit: String(lit) },
    schema: SetProviderIndicatorResponseSchema,
    answer: ({ content }) =>
      create(SetProviderIndicatorResponseSchema, {
        lit: content.case === 'indicatorLit' ? content.value : unexpected('indicator_lit'),
      }),
  });
};

const sendRaw = (
  deps: ProviderHardwareDeps,
  request: SendRawRequestRequest,
  context: HandlerContext,
) =>
  changeHardware(deps, context, {
    request,
    type: 'provider.raw_request_sent',
    work: { case: 'raw', value: { request: request.request } },
    isSafeTwice: false,
    sentence: 'sent a request of his own to its controller',
    said: { request: request.request },
    schema: SendRawRequestResponseSchema,
    answer: ({ content }) =>
      create(SendRawRequestResponseSchema, {
        response: content.case === 'raw' ? content.value : unexpected('raw'),
      }),
  });
