/**
 * The resource types and capabilities that inventory knows. A code that is missed is looked for
 * again. Once known a code stays known: one that was taken away is on no provider any more, and so
 * finds no place.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import type { Catalogue } from '../ports.ts';
import type { WatchDeps } from './followed-watch.ts';
import { createPolled, type Polled } from './polled.ts';

const PAGE = 1_000;

type Page = { readonly names: readonly string[]; readonly nextPageToken: string };
type ReadPage = (pageToken: string, signal: AbortSignal) => Promise<Page>;

export type CatalogueDeps = Pick<WatchDeps, 'clock' | 'log'> & {
  /** To inventory. */
  readonly transport: Transport;
};

export const createCatalogue = (deps: CatalogueDeps): Catalogue => {
  const types = createClient(ResourceTypeService, deps.transport);
  const capabilities = createClient(CapabilityService, deps.transport);
  return {
    unknownResourceTypes: unknownIn(
      createPolled(deps, {
        what: 'resource types',
        read: allCodes(async (pageToken, signal) => {
          const page = await types.listResourceTypes({ pageSize: PAGE, pageToken }, { signal });
          return { ...page, names: page.resourceTypes.map(({ name }) => name) };
        }),
      }),
    ),
    unknownCapabilities: unknownIn(
      createPolled(deps, {
        what: 'capabilities',
        read: allCodes(async (pageToken, signal) => {
          const page = await capabilities.listCapabilities(
            { pageSize: PAGE, pageToken },
            { signal },
          );
          return { ...page, names: page.capabilities.map(({ name }) => name) };
        }),
      }),
    ),
  };
};

const allCodes =
  (readPage: ReadPage) =>
  async (timeoutMs: number): Promise<ReadonlySet<string>> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const codes = new Set<string>();
    for (let pageToken = ''; ; ) {
      const page = await readPage(pageToken, signal);
      for (const name of page.names) codes.add(name.slice(name.indexOf('/') + 1));
      pageToken = page.nextPageToken;
      if (pageToken === '') return codes;
    }
  };

const NONE: ReadonlySet<string> = new Set();

/** Looked at when one is missed, and by one look for everybody who asks meanwhile. */
const unknownIn =
  (polled: Pick<Polled<ReadonlySet<string>>, 'value' | 'look'>) =>
  async (codes: readonly string[], signal: AbortSignal): Promise<readonly string[]> => {
    const missing = () => codes.filter((code) => !(polled.value() ?? NONE).has(code));
    if (missing().length === 0) return [];
    await polled.look(signal);
    return missing();
  };
