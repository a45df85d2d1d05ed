import type { Command } from '../../command.ts';
import { confirmByName, YES } from '../../confirm.ts';
import { lastSegment } from '../../resource-names.ts';
import { asked, FORCE, hardware, PROVIDER, providerName, say, slowCall } from './ask.ts';

const told = (id: string, url: string): string =>
  url === '' ? `the drive of ${id} is empty` : `in the drive of ${id}: ${url}`;

export const status: Command = {
  summary: 'show what is in the virtual CD-ROM drive of a provider',
  positionals: PROVIDER,
  run: async (context, args) => {
    const name = providerName(context, args);
    const { url } = await hardware(context).getProviderMedia({ name }, slowCall(context));
    await say(context, { value: { url }, people: told(lastSegment(name), url) });
    return undefined;
  },
};

export const insert: Command = {
  summary: 'put a medium into the virtual CD-ROM drive; the controller fetches it',
  positionals: [...PROVIDER, { name: 'url', help: 'http, https, nfs or cifs' }],
  options: { ...FORCE },
  examples: ['runm provider media insert r1u1 http://10.0.0.5/rescue.iso'],
  run: async (context, args) => {
    const request = { ...asked(context, args), url: args.positional('url') };
    const { url } = await hardware(context).insertProviderMedia(request, slowCall(context));
    const id = lastSegment(request.name);
    const next = `runm provider bootdev ${id} cdrom`;
    await say(context, { value: { url }, people: told(id, url), next });
    return undefined;
  },
};

export const eject: Command = {
  summary: 'empty the virtual CD-ROM drive of a provider',
  positionals: PROVIDER,
  options: { ...FORCE, ...YES },
  run: async (context, args) => {
    const request = asked(context, args);
    const id = lastSegment(request.name);
    const what = `whatever runs from the medium of ${id} loses it`;
    await confirmByName(context, args, { name: id, what });
    await hardware(context).ejectProviderMedia(request, slowCall(context));
    await say(context, { value: { url: '' }, people: told(id, '') });
    return undefined;
  },
};
