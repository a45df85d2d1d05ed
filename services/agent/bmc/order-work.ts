import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type BmcAnswer,
  BmcAnswerSchema,
  type BmcOrder,
} from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import {
  biosMessages,
  biosValues,
  bootChoice,
  bootDevice,
  factsMessage,
  logMessages,
  mediaUrl,
  powerChange,
  powerState,
  sensorMessages,
} from './answer-message.ts';
import type { BmcAccess } from './bmc-access.ts';
import type { BmcSessions } from './bmc-sessions.ts';
import type { ControllerRef } from './controller-ref.ts';
import type { Credentials } from './credentials.ts';
import { probe } from './probe.ts';
import { rotate } from './rotate.ts';

export type OrderWorkDeps = {
  readonly sessions: BmcSessions;
  readonly credentials: Credentials;
  readonly clock: Clock;
};

export type OrderSetting = {
  readonly ref: ControllerRef;
  readonly access: BmcAccess;
  readonly signal: AbortSignal;
};

type Content = NonNullable<MessageInitShape<typeof BmcAnswerSchema>['content']>;

const RAW_CHARACTERS_MAX = 64 * 1024;
const LOG_ENTRIES = { usual: 100, max: 1_000 } as const;

/** Does what one order asks of one controller. A scan is no work on one controller. */
export const doOrder = async (
  deps: OrderWorkDeps,
  { work }: BmcOrder,
  setting: OrderSetting,
): Promise<BmcAnswer> => {
  const content = (await read(deps, work, setting)) ?? (await change(deps, work, setting));
  const certificateSha256 = setting.access.certificateSha256();
  return create(BmcAnswerSchema, { content, certificateSha256 });
};

/** Undefined for work that changes something. */
const read = async (
  { clock }: OrderWorkDeps,
  work: BmcOrder['work'],
  { ref, access, signal }: OrderSetting,
): Promise<Content | undefined> => {
  switch (work.case) {
    case 'probe':
      return { case: 'probe', value: await probe({ ref, access, clock, signal }) };
    case 'readFacts': {
      const { verbs } = await access.aspect('facts');
      return { case: 'facts', value: factsMessage(await verbs.read(signal)) };
    }
    case 'readPower':
      return readPower(access, signal);
    case 'readBootDevice':
      return readBoot(access, signal);
    case 'readSensors': {
      const { verbs } = await access.aspect('sensors');
      return { case: 'sensors', value: { sensors: sensorMessages(await verbs.read(signal)) } };
    }
    case 'readLog': {
      const { verbs } = await access.aspect('log');
      const newest = Math.min(work.value.newest || LOG_ENTRIES.usual, LOG_ENTRIES.max);
      return { case: 'log', value: { entries: logMessages(await verbs.read(newest, signal)) } };
    }
    case 'readMedia':
      return readMedia(access, signal);
    case 'readBios': {
      const { verbs } = await access.aspect('bios');
      return { case: 'bios', value: { attributes: biosMessages(await verbs.read(signal)) } };
    }
    default:
      return undefined;
  }
};

const change = async (
  deps: OrderWorkDeps,
  work: BmcOrder['work'],
  setting: OrderSetting,
): Promise<Content> => {
  const { access, signal } = setting;
  switch (work.case) {
    case 'changePower': {
      const { verbs } = await access.aspect('power');
      await verbs.change(powerChange(work.value.change), signal);
      return readPower(access, signal);
    }
    case 'setBootDevice': {
      const { verbs } = await access.aspect('bootDevice');
      await verbs.set(bootChoice(work.value.device), signal);
      return readBoot(access, signal);
    }
    case 'clearLog':
      await (await access.aspect('log')).verbs.clear(signal);
      return { case: 'done', value: {} };
    case 'setIndicator': {
      const { verbs } = await access.aspect('indicator');
      await verbs.set(work.value.lit, signal);
      return { case: 'indicatorLit', value: await verbs.read(signal) };
    }
    case 'raw': {
      const { verbs } = await access.aspect('raw');
      const answer = await verbs.send(work.value.request, signal);
      return { case: 'raw', value: answer.slice(0, RAW_CHARACTERS_MAX) };
    }
    case 'insertMedia':
      await (await access.aspect('media')).verbs.insert(work.value.url, signal);
      return readMedia(access, signal);
    case 'ejectMedia':
      await (await access.aspect('media')).verbs.eject(signal);
      return { case: 'done', value: {} };
    case 'setBios':
      await (await access.aspect('bios')).verbs.set(biosValues(work.value.attributes), signal);
      return { case: 'done', value: {} };
    case 'rotate':
      await rotate(deps, setting);
      return { case: 'done', value: {} };
    default:
      throw invalidArgument('INVALID_FIELD', `This agent does not know the work "${work.case}"`);
  }
};

const readPower = async (access: BmcAccess, signal: AbortSignal): Promise<Content> => {
  const { verbs } = await access.aspect('power');
  return { case: 'power', value: powerState(await verbs.read(signal)) };
};

const readBoot = async (access: BmcAccess, signal: AbortSignal): Promise<Content> => {
  const { verbs } = await access.aspect('bootDevice');
  return { case: 'bootDevice', value: bootDevice(await verbs.read(signal)) };
};

const readMedia = async (access: BmcAccess, signal: AbortSignal): Promise<Content> => {
  const { verbs } = await access.aspect('media');
  return { case: 'mediaUrl', value: mediaUrl(await verbs.read(signal)) };
};

/**
 * What is seen after a change whose outcome nobody saw, in words; empty where it cannot be read.
 */
export const seenAfter = async (
  work: BmcOrder['work'],
  { access, signal }: OrderSetting,
): Promise<string> => {
  switch (work.case) {
    case 'changePower': {
      const { verbs } = await access.aspect('power');
      return `the power is now "${await verbs.read(signal)}"`;
    }
    case 'setBootDevice': {
      const { device, persistent } = await (await access.aspect('bootDevice')).verbs.read(signal);
      return `it now boots from "${device}"${persistent ? ' every time' : ''}`;
    }
    case 'setIndicator': {
      const lit = await (await access.aspect('indicator')).verbs.read(signal);
      return `the indicator is now ${lit ? 'lit' : 'dark'}`;
    }
    case 'clearLog': {
      const entries = await (await access.aspect('log')).verbs.read(1, signal);
      return `the log now holds ${entries.length === 0 ? 'nothing' : 'entries'}`;
    }
    case 'insertMedia':
    case 'ejectMedia': {
      const url = await (await access.aspect('media')).verbs.read(signal);
      return url === undefined ? 'the drive is now empty' : 'a medium is now inserted';
    }
    default:
      return '';
  }
};
