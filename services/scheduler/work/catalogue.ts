/**
 * The resource types and capabilities that inventory knows. A code that is missed is looked for
 * again.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { abortable } from '../../store/coordination/waiting.ts';
import type { Catalogue } from '../ports.ts';

const CALL_MS = 5_000;
const PAGE = 1_000;

type Page = { readonly names: readonly string[]; readonly nextPageToken: string };
type ReadPage = (pageToken: string, signal: AbortSignal) => Promise<Page>;

export const createCatalogue = (transport: Transport): Catalogue => {
  const types = createClient(ResourceTypeService, transport);
  const capabilities = createClient(CapabilityService, transport);
  return {
    unknownResourceTypes: createCodes(async (pageToken, signal) => {
      const options = { timeoutMs: CALL_MS, signal };
      const page = await asDomain(types.listResourceTypes({ pageSize: PAGE, pageToken }, options));
      return { ...page, names: page.resourceTypes.map(({ name }) => name) };
    }),
    unknownCapabilities: createCodes(async (pageToken, signal) => {
      const options = { timeoutMs: CALL_MS, signal };
      const page = await asDomain(
        capabilities.listCapabilities({ pageSize: PAGE, pageToken }, options),
      );
      return { ...page, names: page.capabilities.map(({ name }) => name) };
    }),
  };
};

/**
 * Once known a code stays known: one that was taken away is on no provider any more, and so finds
 * no place.
 */
const createCodes = (readPage: ReadPage) => {
  let known: ReadonlySet<string> = new Set();
  const read = async (signal: AbortSignal): Promise<ReadonlySet<string>> => {
    const codes = new Set<string>();
    for (let pageToken = ''; ; ) {
      const page = await readPage(pageToken, signal);
      for (const name of page.names) codes.add(name.slice(name.indexOf('/') + 1));
      pageToken = page.nextPageToken;
      if (pageToken === '') return codes;
    }
  };
  let looking: Promise<void> | undefined;
  /** One look at a time serves everybody who asks meanwhile: wrong codes cost inventory little. */
  const lookOnce = (): Promise<void> => {
    looking ??= read(AbortSignal.timeout(CALL_MS))
      .then((codes) => {
        known = codes;
      })
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  return async (codes: readonly string[], signal: AbortSignal): Promise<readonly string[]> => {
    const missing = () => codes.filter((code) => !known.has(code));
    if (missing().length === 0) return [];
    // What began before this call may have passed the code already.
    if (looking !== undefined) await abortable(looking, signal).catch(() => undefined);
    if (missing().length > 0) await abortable(lookOnce(), signal);
    return missing();
  };
};
