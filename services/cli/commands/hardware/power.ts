import { PowerChange } from '../../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState, PowerStateSchema } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import type { Command, Context } from '../../command.ts';
import { confirmByName, YES } from '../../confirm.ts';
import { enumWord } from '../../format/enum-word.ts';
import { lastSegment } from '../../resource-names.ts';
import { atEach, showOutcomes } from '../provider/each.ts';
import { SEVERAL, targetsOf, whomOf } from '../provider/find.ts';
import { FORCE, forceOf, hardware, say, slowCall } from './ask.ts';

type Change = {
  readonly verb: string;
  readonly summary: string;
  readonly wanted: PowerChange;
  /** What befalls whoever works there, said before it is done. Absent: nothing does. */
  readonly what?: (whom: string) => string;
};

const change = ({ verb, summary, wanted, what }: Change): Command => ({
  summary,
  ...SEVERAL,
  options: { ...SEVERAL.options, ...FORCE, ...(what && YES) },
  examples: [
    `runm provider power ${verb} r1u1`,
    `runm provider power ${verb} --group rack1${what ? ' --yes' : ''}`,
  ],
  run: async (context, args) => {
    const forced = forceOf(args);
    const targets = await targetsOf(context, args);
    if (what) {
      const deed = { name: targets.together, what: what(whomOf(targets)) };
      await confirmByName(context, args, deed);
    }
    const send = async (name: string): Promise<PowerState> => {
      const requestId = context.random.requestId();
      const request = { name, ...forced, requestId, change: wanted };
      return (await hardware(context).changeProviderPower(request, slowCall(context))).power;
    };
    if (targets.isMany) return powerOfMany(context, targets.names, send);
    const [only = ''] = targets.names;
    const power = await send(only);
    if (wanted === PowerChange.SOFT_OFF && power !== PowerState.OFF) {
      const id = lastSegment(only);
      const people = `${id} was asked to power off; it is still ${wordOf(power)}`;
      const next = `runm provider power status ${id}`;
      await say(context, { value: { power: wordOf(power) }, people, next });
    } else await sayPower(context, only, power);
    return undefined;
  },
});

const wordOf = (power: PowerState): string => enumWord(PowerStateSchema, power);

const sayPower = (context: Context, name: string, power: PowerState): Promise<void> =>
  say(context, {
    value: { power: wordOf(power) },
    people: `${lastSegment(name)} is ${wordOf(power)}`,
  });

const powerOfMany = async (
  context: Context,
  names: readonly string[],
  send: (name: string) => Promise<PowerState>,
): Promise<number> => {
  const outcomes = await atEach(context, names, async (name) => wordOf(await send(name)));
  return showOutcomes(context, outcomes, 'power');
};

export const on = change({
  ...{ verb: 'on', summary: 'power providers on' },
  wanted: PowerChange.ON,
});
export const off = change({
  ...{ verb: 'off', summary: 'power providers off at once' },
  wanted: PowerChange.OFF,
  what: (whom) => `this powers ${whom} off at once`,
});
export const softOff = change({
  ...{ verb: 'soft-off', summary: 'ask the operating systems of providers to power off' },
  wanted: PowerChange.SOFT_OFF,
  what: (whom) => `this asks the operating system of ${whom} to power off`,
});
export const reset = change({
  ...{ verb: 'reset', summary: 'reset providers at once' },
  wanted: PowerChange.RESET,
  what: (whom) => `this resets ${whom} at once`,
});
export const cycle = change({
  ...{ verb: 'cycle', summary: 'power providers off and on again' },
  wanted: PowerChange.CYCLE,
  what: (whom) => `this powers ${whom} off and on again`,
});

export const status: Command = {
  summary: 'read the power of providers at their controllers',
  ...SEVERAL,
  examples: ['runm provider power status r1u1', 'runm provider power status --group rack1'],
  run: async (context, args) => {
    const { names, isMany } = await targetsOf(context, args);
    const read = async (name: string): Promise<PowerState> =>
      (await hardware(context).getProviderPower({ name }, slowCall(context))).power;
    if (isMany) return powerOfMany(context, names, read);
    const [only = ''] = names;
    await sayPower(context, only, await read(only));
    return undefined;
  },
};
