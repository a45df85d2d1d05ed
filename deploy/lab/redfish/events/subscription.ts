import type { EventType, LabEvent } from './event.ts';

export const RETRY_POLICIES = ['TerminateAfterRetries', 'SuspendRetries', 'RetryForever'] as const;

export type RetryPolicy = (typeof RETRY_POLICIES)[number];

/** What a subscriber asked for (DSP0268, EventDestination). Empty lists choose nothing out. */
export type Subscription = {
  /** A URL; redfish-sse:// and the subscriber's address where the events go down a stream. */
  readonly destination: string;
  readonly context: string;
  readonly retryPolicy: RetryPolicy;
  /** Whether a certificate of the destination must be one that this host trusts. */
  readonly verifies: boolean;
  /** Sent with each event, shown to nobody. */
  readonly headers: ReadonlyMap<string, string>;
  readonly eventTypes: readonly string[];
  readonly registryPrefixes: readonly string[];
  readonly messageIds: readonly string[];
  readonly resourceTypes: readonly string[];
  readonly originResources: readonly string[];
  readonly subordinates: boolean;
};

export const EVERYTHING: Subscription = {
  ...{ destination: '', context: '', retryPolicy: 'TerminateAfterRetries', verifies: false },
  ...{ headers: new Map(), eventTypes: [], registryPrefixes: [], messageIds: [] },
  ...{ resourceTypes: [], originResources: [], subordinates: false },
};

export const wants = (subscription: Subscription, event: LabEvent): boolean =>
  hasType(subscription.eventTypes, event.type) &&
  hasMessage(subscription, event.messageId) &&
  isIn(subscription.resourceTypes, event.originType) &&
  hasOrigin(subscription, event.origin);

const isIn = (list: readonly string[], value: string): boolean =>
  list.length === 0 || list.includes(value);

/** Other says that types do not matter, on either side (DSP0268, EventType). */
const hasType = (types: readonly string[], type: EventType): boolean =>
  isIn(types, type) || type === 'Other' || types.includes('Other');

/** Registries and messages add up. */
const hasMessage = ({ registryPrefixes, messageIds }: Subscription, messageId: string): boolean => {
  if (registryPrefixes.length === 0 && messageIds.length === 0) return true;
  const [prefix = '', ...rest] = messageId.split('.');
  // Some leave out the version, as it changes with the firmware.
  const names = [messageId, `${prefix}.${rest.at(-1)}`];
  return registryPrefixes.includes(prefix) || names.some((name) => messageIds.includes(name));
};

const hasOrigin = ({ originResources, subordinates }: Subscription, origin: string): boolean =>
  isIn(originResources, origin) ||
  (subordinates && originResources.some((one) => origin.startsWith(`${one}/`)));
