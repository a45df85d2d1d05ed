import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState } from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { MachineStateSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { EXIT } from '../exit.ts';
import { enumWord } from '../format/enum-word.ts';
import { jsonText } from '../format/json-text.ts';
import { formatTable } from '../format/table.ts';
import { allPages } from '../pages.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';

type Line = { readonly what: string; readonly state: string; readonly well: boolean };

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
      return names.join(', ') || 'none';
    };
    const parts: [string, () => Promise<string>][] = [
      ['partitions', listed],
      ['providers', () => providers(context, transport)],
      ['agents', () => agents(context, transport)],
      ['claims', () => claims(context, transport)],
      ['machines', () => machines(context, transport)],
    ];
    const lines = await Promise.all(parts.map(([what, read]) => line(what, read)));
    const { output } = context;
    if (output.mode === 'json') output.result(jsonText(lines));
    else {
      output.result(
        formatTable(
          [
            { title: partition.toUpperCase(), value: (row: Line) => row.what },
            { title: 'STATE', value: (row: Line) => row.state },
          ],
          lines,
        ),
      );
    }
    if (!isThere) {
      output.remark(`there is no partition "${partition}", or you may not see it`);
      return EXIT.notFound;
    }
    return lines.every((row) => row.well) ? EXIT.ok : EXIT.unavailable;
  },
};

const line = async (what: string, read: () => Promise<string>): Promise<Line> => {
  try {
    return { what, state: await read(), well: true };
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

const providers = async (context: Context, transport: Transport): Promise<string> => {
  const client = createClient(ProviderService, transport);
  const rows = await allPages(async (pageToken) => {
    const parent = partitionParent(context.settings);
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listProviders(request, callOptions(context));
    return { rows: answer.providers, nextPageToken: answer.nextPageToken };
  });
  const troubled = rows.filter((one) => one.status?.problem).length;
  return `${rows.length}${troubled ? `, ${troubled} with a problem` : ''}`;
};

const agents = async (context: Context, transport: Transport): Promise<string> => {
  const client = createClient(AgentDirectoryService, transport);
  const parent = partitionParent(context.settings);
  const answer = await client.listAgents({ parent, pageSize: 1000 }, callOptions(context));
  const down = answer.agents.filter((one) => one.status?.state !== AgentState.UP);
  const names = down.map((one) => lastSegment(one.name)).join(', ');
  return `${answer.agents.length - down.length} up${down.length ? `, down: ${names}` : ''}`;
};

const claims = async (context: Context, transport: Transport): Promise<string> => {
  const client = createClient(ClaimService, transport);
  const rows = await allPages(async (pageToken) => {
    const parent = `${partitionParent(context.settings)}/projects/-`;
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listClaims(request, callOptions(context));
    return { rows: answer.claims, nextPageToken: answer.nextPageToken };
  });
  return String(rows.length);
};

const machines = async (context: Context, transport: Transport): Promise<string> => {
  const client = createClient(MachineService, transport);
  const counts = new Map<string, number>();
  const rows = await allPages(async (pageToken) => {
    const parent = `${partitionParent(context.settings)}/projects/-`;
    const request = { parent, pageSize: 1000, pageToken };
    const answer = await client.listMachines(request, callOptions(context));
    return { rows: answer.machines, nextPageToken: answer.nextPageToken };
  });
  for (const machine of rows) {
    const word = enumWord(MachineStateSchema, machine.status?.state ?? 0);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ') || 'none';
};
