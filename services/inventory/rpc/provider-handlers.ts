/** Types that the handlers of ProviderService share. */
import type { MessageShape } from '@bufbuild/protobuf';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { HasValues } from '../../runtime/context.ts';
import type { ProviderRecord } from '../domain/records.ts';
import type { Attempt } from './decided-first.ts';

type Service = typeof ProviderService.method;
export type In<M extends keyof Service> = MessageShape<Service[M]['input']>;
export type Out<M extends keyof Service> = MessageShape<Service[M]['output']>;
export type Handle<M extends keyof Service> = (
  request: In<M>,
  context: HasValues,
) => Promise<Out<M>>;

export type Asking<M extends keyof Service> = {
  readonly request: In<M>;
  readonly context: HasValues;
};

export type Turn = { readonly turn: Parameters<Attempt<unknown>>[0] };

export type Show = (record: ProviderRecord, context: HasValues) => Provider;
