import {
  BmcError,
  type Offer,
  type PowerAspect,
  type PowerChange,
  type PowerReading,
} from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import { type Action, actionOf, chosen } from './action.ts';
import type { Place } from './place.ts';
import { type Resource, textAt } from './resource.ts';

/** ComputerSystem.Reset and PowerState (DSP0268, ComputerSystem). */
export const offerPower = (place: Place): Offer<PowerAspect> => {
  const action = actionOf(place.system, '#ComputerSystem.Reset', place);
  if (action === undefined) {
    return { kind: 'not_offered', why: 'The system has no action ComputerSystem.Reset' };
  }
  const read = async (signal: AbortSignal): Promise<PowerReading> =>
    powerIn(await place.client.get(place.systemLink, signal));
  const change = async (wanted: PowerChange, signal: AbortSignal): Promise<void> => {
    const now = await read(signal);
    for (const step of await stepsFor(wanted, { now, action, signal })) {
      await take({ place, action, read }, step, signal);
    }
  };
  return { kind: 'offered', aspect: { read, change }, how: `POST ${action.target}` };
};

const READINGS: Readonly<Record<string, PowerReading>> = {
  On: 'on',
  Off: 'off',
  PoweringOn: 'turning_on',
  PoweringOff: 'turning_off',
};

export const powerIn = (system: Resource): PowerReading =>
  READINGS[textAt(system, 'PowerState')] ?? 'unknown';

/** One reset, and the power that must be seen before the next one; no reset: it is under way. */
type Step = { readonly resetType?: string; readonly until?: 'on' | 'off' };

type Situation = {
  readonly now: PowerReading;
  readonly action: Action;
  readonly signal: AbortSignal;
};

/**
 * What a service takes that does not say so: the types that the first schema required of all.
 * Its refusal then reaches the user in its own words.
 */
const USUAL = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart'];

/** Some list "GracefulShutdownGracefulRestart" as one type: a comma is missing (Supermicro). */
const parted = (type: string): readonly string[] => type.split(/(?<=[a-z])(?=Graceful|Force)/);

const stepsFor = async (
  wanted: PowerChange,
  { now, action, signal }: Situation,
): Promise<readonly Step[]> => {
  if (wanted === now) return [];
  if (wanted === 'on' && now === 'turning_on') return [{ until: 'on' }];
  const said = (await action.allowed('ResetType', signal)).flatMap(parted);
  const allowed = said.length > 0 ? said : USUAL;
  const pick = (wish: string, ...candidates: readonly string[]): string =>
    chosen({ wish, candidates, allowed });
  const on = (): Step => ({ resetType: pick('power on', 'On', 'ForceOn'), until: 'on' });
  const off = (): Step => ({ resetType: pick('power off', 'ForceOff'), until: 'off' });
  switch (wanted) {
    case 'on':
      return [on()];
    case 'off':
      return [off()];
    case 'soft_off':
      if (now === 'off') return [];
      return [{ resetType: pick('a soft power-off', 'GracefulShutdown', 'PushPowerButton') }];
    case 'reset':
      return [{ resetType: pick('a reset', 'ForceRestart', 'PowerCycle') }];
    case 'cycle':
      if (now === 'off') return [on()];
      return allowed.includes('PowerCycle') ? [{ resetType: 'PowerCycle' }] : [off(), on()];
    default:
      throw new BmcError(
        'unsupported',
        `There is no power change "${String(wanted satisfies never)}"`,
      );
  }
};

type Taking = Pick<PowerAspect, 'read'> & { readonly place: Place; readonly action: Action };

const take = async (taking: Taking, step: Step, signal: AbortSignal): Promise<void> => {
  const { place, read } = taking;
  const { resetType = 'power on', until } = step;
  if (step.resetType !== undefined) await reset(taking, step, signal);
  if (until === undefined) return;
  await seen(
    place,
    {
      what: resetType,
      read: () => read(signal),
      isSo: (power) => power === until,
      tell: (power) => `power is ${power}`,
    },
    signal,
  );
};

/** Somebody may have been faster, and an answer may be lost after it took effect. */
const reset = async (
  { place, action, read }: Taking,
  { resetType, until }: Step,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await place.client.post(action.target, { ResetType: resetType }, signal);
  } catch (error) {
    const isUnclear = error instanceof BmcError && /^(?:refused|timeout)$/.test(error.fault);
    if (!isUnclear || until === undefined || signal.aborted) throw error;
    if ((await read(signal)) !== until) throw error;
  }
};
