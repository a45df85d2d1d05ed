/** The other services as work sees them. */
import type { FoundController } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { Facts } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { Identity } from '../runtime/identity.ts';
import type { Offer, ProviderView } from './domain/capacity.ts';
import type { ClaimView } from './domain/claim.ts';
import type { FollowedClaim } from './domain/claim-news.ts';
import type { IdentifierConflict } from './domain/identifier-conflict.ts';
import type { Machine } from './domain/machine.ts';
import type { Caller, Failure } from './domain/operation.ts';

/** Answers of the scheduler are values; what is thrown is `unavailable` or a bug. */
export type SchedulerPort = {
  /** Makes the machine's own claim, or finds the one that an earlier try made. */
  readonly claim: (
    asked: {
      readonly machine: Machine;
      readonly providerUid: string;
      readonly caller: Caller;
      readonly requestId: string;
    },
    signal: AbortSignal,
  ) => Promise<{ kind: 'held'; claim: ClaimView } | { kind: 'refused'; failure: Failure }>;
  /** By name; undefined = there is none. */
  readonly findClaim: (
    name: string,
    caller: Caller | undefined,
    signal: AbortSignal,
  ) => Promise<ClaimView | undefined>;
  readonly beginRelease: (name: string, requestId: string, signal: AbortSignal) => Promise<void>;
  readonly finishRelease: (
    asked: { readonly name: string; readonly providerUid: string; readonly requestId: string },
    signal: AbortSignal,
  ) => Promise<void>;
  /** What the provider offers, and whether new claims may be placed on it. */
  readonly tell: (
    asked: {
      readonly provider: ProviderView;
      readonly offers: readonly Offer[];
      readonly closed: boolean;
      readonly requestId: string;
    },
    signal: AbortSignal,
  ) => Promise<void>;
  /** What the leader holds of a provider; undefined = it was never told. */
  readonly usage: (
    asked: { readonly partition: string; readonly providerUid: string },
    signal: AbortSignal,
  ) => Promise<{ readonly closed: boolean; readonly inUse: boolean } | undefined>;
  /** The present claims of a partition, then every change; ends with the signal or an error. */
  readonly watchClaims: (partition: string, signal: AbortSignal) => AsyncIterable<FollowedClaim>;
};

export type InventoryPort = {
  /** By resource name or "partitions/{p}/providers/{uid}". */
  readonly findProvider: (name: string, signal: AbortSignal) => Promise<ProviderView | undefined>;
  readonly watchProviders: (signal: AbortSignal) => AsyncIterable<ProviderChange>;
  /** Writes down what was seen; answers what another provider has already. */
  readonly recordFacts: (
    asked: {
      readonly provider: string;
      readonly facts: Facts | undefined;
      /** Empty = none was shown. */
      readonly certificateSha256: string;
      readonly observeMs: number;
      /** What is wrong with it now. */
      readonly problem?: { readonly reason: string; readonly message: string } | undefined;
    },
    signal: AbortSignal,
  ) => Promise<{ readonly conflicts: readonly IdentifierConflict[] }>;
  /** The provider and its facts in the contract's JSON, for a cleaning. */
  readonly describeProvider: (
    name: string,
    signal: AbortSignal,
  ) => Promise<{ readonly provider: unknown; readonly facts: unknown }>;
  /** Writes down what a scan found. */
  readonly recordDiscoveries: (
    asked: {
      readonly parent: string;
      readonly found: readonly FoundController[];
      /** With which they were signed in to; empty = none. */
      readonly secret: string;
      /** Lower-case name of the agent that found them. */
      readonly agent: string;
      readonly observeMs: number;
    },
    signal: AbortSignal,
  ) => Promise<void>;
};

export type ProviderChange =
  | { readonly kind: 'present'; readonly provider: ProviderView }
  | { readonly kind: 'removed'; readonly uid: string }
  | { readonly kind: 'synced' };

/** Values of a secret by key; never logged, never written. */
export type SecretValues = {
  readonly data: Readonly<Record<string, string>>;
  /** Empty = none are staged. */
  readonly staged: Readonly<Record<string, string>>;
  readonly generation: bigint;
};

export type SecretPort = {
  /** Undefined: there is none. `purpose` names for whom the values are, for the audit. */
  readonly reveal: (
    asked: { readonly name: string; readonly purpose: string },
    signal: AbortSignal,
  ) => Promise<SecretValues | undefined>;
  /** Puts values beside the present ones. Errors: failed_precondition INVALID_STATE, not_found. */
  readonly stage: (
    asked: {
      readonly name: string;
      readonly data: Readonly<Record<string, string>>;
      readonly requestId: string;
    },
    signal: AbortSignal,
  ) => Promise<void>;
  /** Makes the staged values the present ones; without staged ones nothing changes. */
  readonly promote: (
    asked: { readonly name: string; readonly requestId: string },
    signal: AbortSignal,
  ) => Promise<void>;
};

export type IdentityPort = {
  /** Resource name and roles of an agent by its uid; undefined = unknown or revoked. */
  readonly findAgent: (
    uid: string,
    signal: AbortSignal,
  ) => Promise<{ readonly name: string; readonly roles: readonly string[] } | undefined>;
  /** What a principal may do now; undefined = it does not exist any more. */
  readonly findPrincipal: (principal: string, signal: AbortSignal) => Promise<Identity | undefined>;
};
