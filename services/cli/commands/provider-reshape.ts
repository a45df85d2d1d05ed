import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import {
  type AllocationMove,
  type AllocationMoveSchema,
  ProviderService,
  type ReshapedProvider,
  ReshapedProviderSchema,
  ReshapeProviderRequestSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command } from '../command.ts';
import { parseInventory } from '../inventory-text.ts';
import { holderUid } from '../object-uids.ts';
import { showList } from '../output.ts';
import { readDocument } from '../read-document.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

type Change = {
  readonly providers: readonly ReshapedProvider[];
  readonly moves: readonly (AllocationMove | MessageInitShape<typeof AllocationMoveSchema>)[];
};

export const reshape: Command = {
  summary: 'change what providers of one tree offer, and move what is held with it, in one step',
  options: {
    set: {
      type: 'string',
      multiple: true,
      value: 'NAME:TYPE=TOTAL[,RESERVED[,RATIO]]',
      help: 'offer of a provider; what is not set for it, it offers no more ("NAME:": nothing)',
    },
    move: {
      type: 'string',
      multiple: true,
      value: 'FROM:TO:TYPE',
      help: 'what is held of this type goes from one provider to the other',
    },
    claim: { type: 'string', value: 'NAME', help: 'move only what this claim holds' },
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      help: 'providers and moves as YAML or JSON',
    },
  },
  examples: [
    'runm provider reshape --set r1: --set r1-numa0:runm.cpu.dedicated=32 ' +
      '--move r1:r1-numa0:runm.cpu.dedicated',
  ],
  run: async (context, args) => {
    const file = args.string('file');
    const claim = args.string('claim');
    const typed = claim?.includes(':') === true ? claim : `claim:${claim}`;
    const claimUid = claim === undefined ? '' : await holderUid(context, typed, '--claim');
    const given: Change =
      file === undefined
        ? { providers: offersOf(args), moves: movesOf(args, claimUid) }
        : await readDocument(context, ReshapeProviderRequestSchema, file);
    if (given.providers.length === 0) throw new UsageError('nothing to change', 'see --help');
    const client = createClient(ProviderService, context.transport());
    const answer = await client.reshapeProvider(
      {
        parent: partitionParent(context.settings),
        providers: [...given.providers],
        moves: [...given.moves],
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    await showList(context.output, providerNoun, answer.providers);
    return undefined;
  },
};

const offersOf = (args: Args): readonly ReshapedProvider[] => {
  const offers = new Map<string, Inventory[]>();
  for (const text of args.strings('set')) {
    const at = text.indexOf(':');
    if (at < 1) throw new UsageError(`--set: "${text}" names no provider`, 'NAME:TYPE=TOTAL');
    const [name, offer] = [lastSegment(text.slice(0, at)), text.slice(at + 1)];
    const before = offers.get(name) ?? [];
    offers.set(name, offer === '' ? before : [...before, parseInventory(offer, '--set')]);
  }
  return [...offers].map(([provider, inventories]) =>
    create(ReshapedProviderSchema, { provider, inventories }),
  );
};

const movesOf = (args: Args, claimUid: string) =>
  args.strings('move').map((text) => {
    const [from = '', to = '', resourceType = '', ...more] = text.split(':');
    if (from === '' || to === '' || resourceType === '' || more.length > 0) {
      throw new UsageError(`--move: "${text}" is not FROM:TO:TYPE`, 'for example r1:r1-numa0:TYPE');
    }
    return { fromProvider: lastSegment(from), toProvider: lastSegment(to), resourceType, claimUid };
  });
