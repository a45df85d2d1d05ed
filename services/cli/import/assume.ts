/**
 * What a dry run has read in the file already and the server does not know: it is about to be made,
 * so what refers to it is right.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ImportAssumptionSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { lastSegment } from '../resource-names.ts';
import type { Entry } from './entry.ts';
import type { NamedEntry } from './named-entry.ts';

export type Assumption = {
  readonly addNamed: (entry: NamedEntry) => void;
  readonly add: (entries: readonly ProviderEntry[]) => void;
  /** What these entries may count on. */
  readonly of: (
    entries: readonly ProviderEntry[],
  ) => MessageInitShape<typeof ImportAssumptionSchema>;
};

type ProviderEntry = Extract<Entry, { kind: 'provider' }>;

/** What the contract takes; of a file with more, what comes first counts as there. */
const KNOWN_MAX = 10_000;
/** So that a file of any size needs no more memory. Beyond it every parent counts as there. */
const PROVIDERS_MAX = 500_000;

export const createAssumption = (): Assumption => {
  const known = {
    groups: new Set<string>(),
    capabilities: new Set<string>(),
    types: new Set<string>(),
  };
  const providers = new Set<string>();
  const add = (set: Set<string>, id: string): void => {
    if (set.size < KNOWN_MAX) set.add(id);
  };
  return {
    addNamed: ({ kind, id }) => {
      if (kind === 'group') add(known.groups, id);
      else if (kind === 'capability') add(known.capabilities, id);
      else add(known.types, id);
    },
    add: (entries) => {
      for (const { id } of entries) {
        if (providers.size < PROVIDERS_MAX) providers.add(id.toLowerCase());
      }
    },
    of: (entries) => {
      const parents = entries.map(({ provider }) =>
        lastSegment(provider.spec?.parentProvider ?? ''),
      );
      const isSeen = (id: string) =>
        id !== '' && (providers.has(id.toLowerCase()) || providers.size === PROVIDERS_MAX);
      return {
        groups: [...known.groups],
        capabilities: [...known.capabilities],
        resourceTypes: [...known.types],
        providers: [...new Set(parents.filter(isSeen))],
      };
    },
  };
};
