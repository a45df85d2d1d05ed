import { PowerChange } from '../../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState, PowerStateSchema } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import type { Command } from '../../command.ts';
import { enumWord } from '../../format/enum-word.ts';
import { lastSegment } from '../../resource-names.ts';
import { asked, FORCE, hardware, PROVIDER, providerName, say, slowCall } from './ask.ts';

const change = (summary: string, wanted: PowerChange): Command => ({
  summary,
  positionals: PROVIDER,
  options: FORCE,
  run: async (context, args) => {
    const request = { ...asked(context, args), change: wanted };
    const { power } = await hardware(context).changeProviderPower(request, slowCall(context));
    const word = enumWord(PowerStateSchema, power);
    const id = lastSegment(request.name);
    if (wanted === PowerChange.SOFT_OFF && power !== PowerState.OFF) {
      const people = `${id} was asked to power off; it is still ${word}`;
      const next = `runm provider power status ${id}`;
      say(context, { value: { power: word }, people, next });
    } else say(context, { value: { power: word }, people: `${id} is ${word}` });
    return undefined;
  },
});

export const on = change('power a provider on', PowerChange.ON);
export const off = change('power it off at once', PowerChange.OFF);
export const softOff = change('ask its operating system to power off', PowerChange.SOFT_OFF);
export const reset = change('reset it at once', PowerChange.RESET);
export const cycle = change('power it off and on again', PowerChange.CYCLE);

export const status: Command = {
  summary: 'read the power of a provider at its controller',
  positionals: PROVIDER,
  run: async (context, args) => {
    const name = providerName(context, args);
    const { power } = await hardware(context).getProviderPower({ name }, slowCall(context));
    const word = enumWord(PowerStateSchema, power);
    say(context, { value: { power: word }, people: `${lastSegment(name)} is ${word}` });
    return undefined;
  },
};
