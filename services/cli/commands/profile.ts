import type { Command } from '../command.ts';
import { showData, tableText } from '../output.ts';
import { type Profile, profileFilePath, readProfiles, writeProfiles } from '../profile.ts';
import { newId } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

export const list: Command = {
  summary: 'list profiles',
  offline: true,
  run: async (context) => {
    const { current, profiles } = readProfiles(profileFilePath(context.env));
    const rows = Object.entries(profiles).map(([name, profile]) => ({ name, profile }));
    const { output } = context;
    if (output.mode === 'quiet') for (const { name } of rows) output.result(name);
    else if (rows.length === 0 && output.mode === 'table') {
      output.remark('none; `npm start` makes one, or `runm profile set NAME …`');
    } else {
      const columns = [
        { title: '', value: (row: Row) => (row.name === current ? '*' : ' ') },
        { title: 'NAME', value: (row: Row) => row.name },
        { title: 'ENDPOINT', value: (row: Row) => row.profile.endpoint ?? '' },
        { title: 'PARTITION', value: (row: Row) => row.profile.partition ?? '' },
        { title: 'PROJECT', value: (row: Row) => row.profile.project ?? '' },
      ];
      await showData(output, { current, profiles }, () => tableText(output, columns, rows));
    }
    return undefined;
  },
};
type Row = { name: string; profile: Profile };

export const use: Command = {
  summary: 'choose the profile that runm uses',
  offline: true,
  positionals: [{ name: 'name', help: 'name of a profile; see `runm profile list`' }],
  run: async (context, args) => {
    const path = profileFilePath(context.env);
    const file = readProfiles(path);
    const name = args.positional('name');
    if (!file.profiles[name]) {
      const known = Object.keys(file.profiles).join(', ') || 'none yet';
      throw new UsageError(`there is no profile "${name}"`, `profiles: ${known}`);
    }
    writeProfiles(path, { ...file, current: name });
    context.output.remark(`runm uses profile ${name} now`);
    return undefined;
  },
};

export const set: Command = {
  summary: 'make or change a profile',
  offline: true,
  positionals: [{ name: 'name', help: 'name of the profile' }],
  options: {
    endpoint: { type: 'string', value: 'URL', help: 'https://host:port' },
    'ca-file': { type: 'string', value: 'FILE', help: 'CA certificates in PEM' },
    'token-file': { type: 'string', value: 'FILE', help: 'file with the bearer token (mode 0600)' },
  },
  run: async (context, args) => {
    const path = profileFilePath(context.env);
    const file = readProfiles(path);
    const name = newId(args.positional('name'));
    const given: Record<string, string | undefined> = {
      endpoint: args.string('endpoint'),
      caFile: args.string('ca-file'),
      tokenFile: args.string('token-file'),
      partition: args.string('partition'),
      project: args.string('project'),
    };
    const changes = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined),
    );
    if (Object.keys(changes).length === 0) throw new UsageError('nothing to set', 'see --help');
    const profiles = { ...file.profiles, [name]: { ...file.profiles[name], ...changes } };
    const current = Object.keys(file.profiles).length === 0 ? name : file.current;
    writeProfiles(path, { current, profiles });
    context.output.remark(`profile ${name} is written to ${path}`);
    return undefined;
  },
};
