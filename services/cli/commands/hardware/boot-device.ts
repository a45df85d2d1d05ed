import { DEVICE, DEVICE_OPTIONS, deviceText, parseDevice } from '../../boot-device.ts';
import type { Command } from '../../command.ts';
import { lastSegment } from '../../resource-names.ts';
import { asked, FORCE, hardware, PROVIDER, providerName, say, slowCall } from './ask.ts';

/** Without a device it reads. */
export const bootDevice: Command = {
  summary: 'show or set from what a provider boots',
  positionals: [...PROVIDER, { ...DEVICE, optional: true }],
  options: { ...DEVICE_OPTIONS, ...FORCE },
  examples: ['runm provider bootdev r1u1 network', 'runm provider bootdev r1u1'],
  run: async (context, args) => {
    const word = args.optionalPositional('device');
    const name = providerName(context, args);
    const id = lastSegment(name);
    if (word === undefined) {
      const answer = await hardware(context).getProviderBootDevice({ name }, slowCall(context));
      const text = deviceText(answer.bootDevice);
      await say(context, { value: { bootDevice: text }, people: `${id} boots from: ${text}` });
      return undefined;
    }
    const request = { ...asked(context, args), bootDevice: parseDevice(word, args) };
    const answer = await hardware(context).setProviderBootDevice(request, slowCall(context));
    const text = deviceText(answer.bootDevice);
    await say(context, {
      value: { bootDevice: text },
      people: `${id} boots from: ${text}`,
      next: `runm provider power cycle ${id}`,
    });
    return undefined;
  },
};
