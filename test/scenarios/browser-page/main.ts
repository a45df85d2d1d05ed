/** What a web page of somebody else does with the public contract; bundled by browser.test.ts. */
import {
  Code,
  ConnectError,
  createClient,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { IdentityService } from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';

export type PageCall = {
  readonly protocol: 'connect' | 'connect-get' | 'grpc-web';
  readonly baseUrl: string;
  readonly token: string;
  readonly parent: string;
};

export type PageAnswer =
  | {
      readonly kind: 'answered';
      readonly principal: string;
      /** Names of the present set, read from the stream up to its mark. */
      readonly providers: readonly string[];
      readonly error: PageError;
    }
  | { readonly kind: 'failed'; readonly error: PageError };

export type PageError = {
  readonly code: string;
  readonly message: string;
  /** From the error's details. */
  readonly reason: string;
  readonly domain: string;
};

const callAll = async (asked: PageCall): Promise<PageAnswer> => {
  const transport = transportOf(asked);
  const limit = { timeoutMs: 60_000 };
  try {
    const who = await createClient(IdentityService, transport).whoAmI({}, limit);
    const providers = createClient(ProviderService, transport);
    const name = `${asked.parent}/providers/nobody`;
    const error = await providers.getProvider({ name }, limit).then(
      () => nothing,
      (thrown: unknown) => pageError(thrown),
    );
    const present = await watchPresent(transport, asked.parent);
    return { kind: 'answered', principal: who.principal, providers: present, error };
  } catch (thrown) {
    return { kind: 'failed', error: pageError(thrown) };
  }
};

const nothing: PageError = { code: '', message: '', reason: '', domain: '' };

const transportOf = ({ protocol, baseUrl, token }: PageCall): Transport => {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  const options = { baseUrl, interceptors: [authorize] };
  if (protocol === 'grpc-web') return createGrpcWebTransport(options);
  return createConnectTransport({ ...options, useHttpGet: protocol === 'connect-get' });
};

const watchPresent = async (transport: Transport, parent: string): Promise<string[]> => {
  const left = new AbortController();
  const names: string[] = [];
  const signal = AbortSignal.any([left.signal, AbortSignal.timeout(60_000)]);
  const stream = createClient(ProviderService, transport).watchProviders({ parent }, { signal });
  for await (const { events } of stream) {
    for (const { event } of events) {
      if (event.case === 'created') names.push(event.value.name);
      if (event.case !== 'synced') continue;
      left.abort();
      return names;
    }
  }
  throw new Error('the stream ended before the present set was complete');
};

const pageError = (thrown: unknown): PageError => {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(ErrorInfoSchema);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason ?? '',
    domain: info?.domain ?? '',
  };
};

Object.assign(globalThis, { callAll });
