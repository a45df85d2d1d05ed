/** What a controller offers, found by reading only. */
import type { BmcCredentials, ConsoleAspect, Offer, Offers } from '../../bmc-port.ts';
import { createAccountAspect } from './aspects/accounts.ts';
import { createBootDeviceAspect } from './aspects/boot-device.ts';
import { createConsoleAspect } from './aspects/console.ts';
import { createFactsAspect } from './aspects/facts.ts';
import { createIndicatorAspect, tellsIndicator } from './aspects/indicator.ts';
import { createLogAspect } from './aspects/log.ts';
import type { Place } from './aspects/place.ts';
import { createPowerAspect, GET_CHASSIS_STATUS } from './aspects/power.ts';
import { createRawAspect } from './aspects/raw.ts';
import { createSensorRepository } from './aspects/sensor-repository.ts';
import { createSensorAspect } from './aspects/sensors.ts';
import { PRIVILEGE } from './session/sign-in.ts';
import { CODE, completionText } from './wire/completion-code.ts';

export type OfferDeps = Place & {
  readonly vendor: string;
  readonly privilege: number;
  readonly passwordSet: (credentials: BmcCredentials) => void;
};

const GET_BOOT_FLAGS = { netFn: 0x00, command: 0x09, data: Buffer.from([5, 0, 0]) } as const;
const GET_SOL_PARAMETER = { netFn: 0x0c, command: 0x22 } as const;
const SOL_ENABLED = 1;
const GET_USER_ACCESS = { netFn: 0x06, command: 0x44 } as const;

export const findOffers = async (deps: OfferDeps, signal: AbortSignal): Promise<Offers> => {
  const { link, deviceId, privilege } = deps;
  const repository = createSensorRepository(deps);
  const status = await link.ask(GET_CHASSIS_STATUS, signal);
  const boot = await link.ask(GET_BOOT_FLAGS, signal);
  const isOperator = privilege >= PRIVILEGE.operator;
  const chassis = status.code === 0 ? undefined : `Get Chassis Status: ${told(status.code)}`;
  const notOperator = isOperator ? undefined : 'The user may only look';
  return {
    power: offer(chassis ?? notOperator, 'Chassis Control (IPMI 2.0 §28.3)', () =>
      createPowerAspect(deps),
    ),
    bootDevice: offer(
      boot.code === 0 ? notOperator : `Get System Boot Options: ${told(boot.code)}`,
      'System Boot Options, parameter 5 (IPMI 2.0 §28.12)',
      () => createBootDeviceAspect(deps),
    ),
    media: none('IPMI 2.0 has no virtual media'),
    bios: none('IPMI 2.0 has no BIOS attributes'),
    sensors: offer(
      deviceId.hasSensorRepository || deviceId.hasSensors ? undefined : 'It has no sensors',
      'Sensor data records and Get Sensor Reading (IPMI 2.0 §33, §35)',
      () => createSensorAspect(deps, repository),
    ),
    log: offer(
      deviceId.hasLog ? undefined : 'It keeps no system event log',
      'System event log (IPMI 2.0 §31)',
      () => createLogAspect(deps, repository),
    ),
    facts: offer(
      undefined,
      'Inventory, GUID and LAN configuration (IPMI 2.0 §34, §22.14, §23)',
      () => createFactsAspect(deps, deps.vendor),
    ),
    indicator: offer(
      chassis ?? (tellsIndicator(status.data) ? notOperator : 'It does not tell whether it is lit'),
      'Chassis Identify (IPMI 2.0 §28.5)',
      () => createIndicatorAspect(deps),
    ),
    accounts: offer(await withoutAccounts(deps, signal), 'User commands (IPMI 2.0 §22.26)', () =>
      createAccountAspect(deps),
    ),
    console: await consoleOf(deps, signal),
    raw: offer(undefined, 'Any IPMI request', () => createRawAspect(deps)),
  };
};

const told = completionText;

const none = (why: string) => ({ kind: 'not_offered', why }) as const;

const offer = <T>(why: string | undefined, how: string, make: () => T): Offer<T> =>
  why === undefined ? { kind: 'offered', aspect: make(), how } : none(why);

/** Why not; undefined: they can be changed. */
const withoutAccounts = async (
  { link, channel, privilege }: OfferDeps,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (privilege < PRIVILEGE.administrator) return 'The user is no administrator';
  const data = Buffer.from([channel, 1]);
  const { code } = await link.ask({ ...GET_USER_ACCESS, data }, signal);
  return code === 0 ? undefined : `Get User Access: ${told(code)}`;
};

const consoleOf = async (deps: OfferDeps, signal: AbortSignal): Promise<Offer<ConsoleAspect>> => {
  const { link, channel } = deps;
  const how = 'Serial over LAN (IPMI 2.0 §15)';
  const data = Buffer.from([channel, SOL_ENABLED, 0, 0]);
  const { code, data: told } = await link.ask({ ...GET_SOL_PARAMETER, data }, signal);
  const console = (by: string): Offer<ConsoleAspect> =>
    offer(undefined, by, () => createConsoleAspect(deps));
  // Some have a console and no settings of it (pyghmi, and what is made of it).
  if (code === CODE.invalidCommand) return console(`${how}; whether it has it is not told before`);
  if (code !== 0) return none(`Get SOL Configuration Parameters: ${completionText(code)}`);
  const isEnabled = ((told[1] ?? 0) & 1) === 1;
  return isEnabled ? console(how) : none(`Serial over LAN is switched off on channel ${channel}`);
};
