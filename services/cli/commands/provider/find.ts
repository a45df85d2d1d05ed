/** Which providers a verb is meant for: those that are named, or those of a group. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { BmcType } from '../../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { Provider } from '../../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type ProviderFilterSchema,
  ProviderService,
} from '../../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { allPages } from '../../pages.ts';
import { inPartition, lastSegment, partitionParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';

export const findProviders = (
  context: Context,
  filter: MessageInitShape<typeof ProviderFilterSchema>,
): Promise<Provider[]> => {
  const client = createClient(ProviderService, context.transport());
  const parent = partitionParent(context.settings);
  return allPages(async (pageToken) => {
    const request = { parent, filter, pageSize: 1000, pageToken };
    const answer = await client.listProviders(request, callOptions(context));
    return { rows: answer.providers, nextPageToken: answer.nextPageToken };
  });
};

/** How a verb for several providers is called. */
export const SEVERAL = {
  positionals: [{ name: 'name', help: 'name or uid of the provider', optional: true }],
  rest: { name: 'names', help: 'more of them', optional: true },
  options: {
    group: { type: 'string', value: 'ID', help: 'those of this group, instead of names' },
  },
} as const satisfies Pick<Command, 'positionals' | 'rest' | 'options'>;

export type Targets = {
  /** Resource names, each once. */
  readonly names: readonly string[];
  /** What a person calls all of them: the one, the group, or how many they are. */
  readonly together: string;
  /** Whether an answer for each was asked for, and not one for the only one. */
  readonly isMany: boolean;
};

/** Of a group those that are fit for it: racks also hold what has no controller. */
export const targetsOf = async (
  context: Context,
  args: Args,
  isFit: (provider: Provider) => boolean = hasController,
): Promise<Targets> => {
  const first = args.optionalPositional('name');
  const group = args.string('group');
  if (first === undefined && group === undefined) {
    throw new UsageError('NAME is missing', 'name one provider or several, or a --group');
  }
  if (first !== undefined && group !== undefined) {
    throw new UsageError('names and --group exclude each other', 'give one of them');
  }
  if (group !== undefined) {
    const id = lastSegment(group);
    const all = await findProviders(context, { group: id });
    const names = all.filter(isFit).map(({ name }) => name);
    if (names.length > 0) return { names, together: id, isMany: true };
    throw new UsageError(
      `group "${id}" has no provider${all.length > 0 ? ' with a controller' : ''}`,
      `see runm group members ${id}`,
    );
  }
  const typed = [first ?? '', ...args.rest];
  const names = [...new Set(typed.map((one) => inPartition(context.settings, 'providers', one)))];
  const together = names.length === 1 ? lastSegment(names[0] ?? '') : String(names.length);
  return { names, together, isMany: names.length > 1 };
};

const SHOWN = 8;

/** Who they are, for a question. */
export const whomOf = ({ names }: Targets): string => {
  const ids = names.map(lastSegment);
  if (ids.length === 1) return ids[0] ?? '';
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
  return `${ids.length} providers (${ids.slice(0, SHOWN).join(' ')}${more})`;
};

const hasController = ({ spec }: Provider): boolean =>
  spec?.bmc !== undefined && spec.bmc.type !== BmcType.NONE;
