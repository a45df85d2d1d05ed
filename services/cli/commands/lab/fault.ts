import type { Command } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { showDeed } from '../../output.ts';
import { UsageError } from '../../usage-error.ts';
import { askLab, refusalOf } from './ask.ts';

// A map: an object would sort the number to the front.
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['slow', 'answers late'],
  ['lie', 'says the opposite of how the power is'],
  ['hang', 'takes requests and never answers'],
  ['503', 'says that it is busy'],
  ['lost-write', 'says yes and does nothing'],
  ['wrong-state', 'does something else than it was told'],
  ['flap', 'is there one moment and away the next'],
  ['html', 'answers a web page'],
  ['none', 'behaves'],
]);

export const fault: Command = {
  summary: 'let the controller of a server of the lab misbehave, until it is told `none`',
  offline: true,
  positionals: [
    { name: 'server', help: 'name of a server; see `runm lab status`' },
    {
      name: 'fault',
      help: [...FAULTS].map(([name, what]) => `${name} (${what})`).join(', '),
      choices: [...FAULTS.keys()],
    },
  ],
  examples: ['runm lab fault r1u2 hang', 'runm lab fault r1u2 none'],
  run: async (context, args) => {
    const server = args.positional('server');
    const name = args.positional('fault');
    const what = FAULTS.get(name);
    if (what === undefined) {
      throw new UsageError(`there is no fault "${name}"`, [...FAULTS.keys()].join(', '));
    }
    const reply = await askLab(context, { verb: 'fault', server, fault: name });
    if (reply.kind === 'unreachable') {
      context.output.remark(`runm: the lab does not run: ${reply.why}`);
      context.output.remark('      `npm start` brings it up');
      return EXIT.unavailable;
    }
    const refused = refusalOf(reply.answer);
    if (refused === undefined) {
      const said = `the controller of ${server} ${what} from now on`;
      await showDeed(context.output, { server, fault: name }, said);
      return undefined;
    }
    context.output.remark(`runm: ${refused}`);
    return EXIT.notFound;
  },
};
