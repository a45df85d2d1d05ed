import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState } from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { MachineStateSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { ClaimState, ClaimStateSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { EXIT } from '../exit.ts';
import { enumWord } from '../format/enum-word.ts';
import { showData, tableText } from '../output.ts';
import { allPages } from '../pages.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';

type Line = { readonly what: string; readonly state: string; readonly well: boolean };
/** What was read of a part, and what to type where it is not well. */
type Told = { readonly state: string; readonly next?: string };

/** One line a part; a part that cannot answer is told, and the exit code is not 0. */
export const status: Command = {
  summary: 'show what there is in the partition and how it does',
  run: async (context) => {
    const transport = context.transport();
    const { partition } = context.settings;
    let isThere = true;
    const listed = async () => {
      const names = await partitions(context, transport);
      isThere = names.some((name) => name.toLowerCase() === partition.toLowerCase());
      return { state: names.join(', ') || 'none' };
    };
    const parts: [string, () => Promise<Told>][] = [
      ['partitions', listed],
      ['providers', () => providers(context, transport)],
      ['agents', () => agents(context, transport)],
      ['claims', () => claims(context, transport)],
      ['machines', () => machines(context, transport)],
    ];
    const nexts: string[] = [];
    const lines = await Promise.all(parts.map(([what, read]) => line(what, read, nexts)));
    const { output } = context;
    const columns = [
      { title: partition.toUpperCase(), value: (row: Line) => row.what },
      { title: 'STATE', value: (row: Line) => row.state },
    ];
    await showData(output, lines, () => tableText(output, columns, lines));
    if (!isThere) {
      output.remark(`there is no partition "${partition}", or you may not see it`);
      output.remark(
        '      those above are there: --partition ID, RUNM_PARTITION, or runm profile set',
      );
      return EXIT.notFound;
    }
    if (output.mode === 'table') for (const next of nexts) output.remark(`next: ${next}`);
    return lines.every((row) => row.well) ? EXIT.ok : EXIT.unavailable;
  },
};

const line = async (what: string, read: () => Promise<Told>, nexts: string[]): Promise<Line> => {
  try {
    const { state, next } = await read();
    if (next !== undefined) nexts.push(next);
    return { what, state, well: true };
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    if (error.code === Code.Unauthenticated) throw error;
    // To a tenant what is the operators' is as if it were not there.
    if (error.code === Code.NotFound) return { what, state: 'not visible to you', well: true };
    return {
      what,
      state: `no answer: ${error.rawMessage}`,
      well: error.code === Code.PermissionDenied,
    };
  }
};

const partitions = async (context: Context, transport: Transport): Promise<string[]> => {
  const client = createClient(PartitionService, transport);
  const answer = await client.listPartitions({ pageSize: 1000 }, callOptions(context));
  return answer.partitions.map((one) => lastSegment(one.name));
};

const providers = async (context: Context, transport: Transport): Promise<Told> => {
  const client = createClient(ProviderService, transport);
  const rows = await allPages(async (pageToken) => {
    const parent = partitionParent(context.settings);
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listProviders(request, callOptions(context));
    return { rows: answer.providers, nextPageToken: answer.nextPageToken };
  });
  const troubled = rows.filter((one) => one.status?.problem).length;
  return {
    state: `${rows.length}${troubled ? `, ${troubled} with a problem` : ''}`,
    ...(troubled > 0 && { next: 'runm provider list --filter problem!=-' }),
    ...(rows.length === 0 && { next: 'runm provider import -f FILE, or runm provider scan RANGE' }),
  };
};

const agents = async (context: Context, transport: Transport): Promise<Told> => {
  const client = createClient(AgentDirectoryService, transport);
  const parent = partitionParent(context.settings);
  const answer = await client.listAgents({ parent, pageSize: 1000 }, callOptions(context));
  const down = answer.agents.filter((one) => one.status?.state !== AgentState.UP);
  const names = down.map((one) => lastSegment(one.name)).join(', ');
  return {
    state: `${answer.agents.length - down.length} up${down.length ? `, down: ${names}` : ''}`,
    ...(down.length > 0 && { next: `runm agent get ${lastSegment(down[0]?.name ?? '')}` }),
    ...(answer.agents.length === 0 && { next: 'runm agent token create --roles bmc,vm' }),
  };
};

const claims = async (context: Context, transport: Transport): Promise<Told> => {
  const client = createClient(ClaimService, transport);
  const rows = await allPages(async (pageToken) => {
    const parent = `${partitionParent(context.settings)}/projects/-`;
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listClaims(request, callOptions(context));
    return { rows: answer.claims, nextPageToken: answer.nextPageToken };
  });
  const words = rows.map(({ status: one }) => enumWord(ClaimStateSchema, one?.state ?? 0));
  return {
    state: countsOf(words),
    ...(words.includes(AT_RISK) && { next: 'runm claim list --all-projects --state at-risk' }),
  };
};

const AT_RISK = enumWord(ClaimStateSchema, ClaimState.AT_RISK);

const machines = async (context: Context, transport: Transport): Promise<Told> => {
  const client = createClient(MachineService, transport);
  const rows = await allPages(async (pageToken) => {
    const parent = `${partitionParent(context.settings)}/projects/-`;
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listMachines(request, callOptions(context));
    return { rows: answer.machines, nextPageToken: answer.nextPageToken };
  });
  const words = rows.map(({ status: one }) => enumWord(MachineStateSchema, one?.state ?? 0));
  return {
    state: countsOf(words),
    ...(words.some((word) => word.endsWith('failed')) && {
      next: 'runm machine list --all-projects --filter "state=*failed"',
    }),
    ...(words.length === 0 && { next: 'runm machine create NAME --image IMAGE --wait' }),
  };
};

/** "3 active, 1 failed". */
const countsOf = (words: readonly string[]): string =>
  [...Map.groupBy(words, (word) => word)]
    .map(([word, same]) => `${same.length} ${word}`)
    .join(', ') || 'none';
