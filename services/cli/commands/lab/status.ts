import type { Command } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { showData, tableText } from '../../output.ts';
import { askLab, refusalOf } from './ask.ts';

type Row = Readonly<Record<string, unknown>>;

const COLUMNS = [
  { title: 'NAME', value: (row: Row) => text(row.name) },
  { title: 'POWER', value: (row: Row) => text(row.power) },
  { title: 'REDFISH', value: (row: Row) => text(row.redfish) },
  { title: 'IPMI', value: (row: Row) => text(row.ipmi) },
  { title: 'FAULT', value: (row: Row) => (row.fault === 'none' ? '' : text(row.fault)) },
  { title: 'CREDENTIALS', value: (row: Row) => text(row.credentialsFile) },
];

export const status: Command = {
  summary: 'show the servers of the lab, where their controllers listen and what they do wrong',
  offline: true,
  run: async (context) => {
    const { output } = context;
    const reply = await askLab(context, { verb: 'status' });
    if (reply.kind === 'unreachable') {
      output.remark(`runm: the lab does not run: ${reply.why}`);
      output.remark('      `npm start` brings it up');
      return EXIT.unavailable;
    }
    const refused = refusalOf(reply.answer);
    if (refused !== undefined) throw new Error(refused);
    const lab = asRow(reply.answer.status);
    const servers = Array.isArray(lab.servers) ? lab.servers.map(asRow) : [];
    if (output.mode === 'table') {
      const what = lab.machines === 'qemu' ? '' : 'servers are simulated: ';
      output.remark(`rack ${text(lab.rack)}: ${what}${text(lab.why)}`);
    }
    if (output.mode === 'quiet') for (const one of servers) output.result(text(one.name));
    else await showData(output, lab, () => tableText(output, COLUMNS, servers));
    return undefined;
  },
};

const text = (value: unknown): string => (value === undefined ? '' : String(value));

const asRow = (value: unknown): Row =>
  typeof value === 'object' && value !== null ? { ...value } : {};
