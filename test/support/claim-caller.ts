/**
 * A client of claims as a careful program is one: every request has an id, is repeated with it at
 * any replica until its outcome is known, and everything is written down for the checker.
 */
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import { CapacityService } from '../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { QuotaService } from '../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import {
  ask,
  type CallerOptions,
  PARTITION,
  type Send,
  type Shown,
  specOf,
  type Wish,
} from './claim-asking.ts';
import { createBatch } from './claim-batch.ts';
import type { CallRequest } from './claim-checker/history.ts';

export type CapacityWish = Omit<Extract<CallRequest, { verb: 'set-capacity' }>, 'verb'>;

/** What a caller learned; undefined = nothing, or a refusal. */
export type ClaimCaller = {
  readonly create: (wish: Wish) => Promise<Claim | undefined>;
  /** Those of a batch that were made; all of the first one's project. */
  readonly createBatch: (wishes: readonly Wish[]) => Promise<readonly Claim[]>;
  readonly show: (claim: Claim) => Promise<Claim | undefined>;
  readonly beginRelease: (claim: Claim) => Promise<Claim | undefined>;
  readonly finishRelease: (claim: Claim, providerUid: string) => Promise<Claim | undefined>;
  /** Extends the claim, or shortens it. */
  readonly moveEnd: (claim: Claim, releaseMs: number) => Promise<Claim | undefined>;
  /** True when it was granted. */
  readonly setQuota: (project: string, limits: ReadonlyMap<string, number>) => Promise<boolean>;
  /** True when it was granted. */
  readonly setCapacity: (wish: CapacityWish) => Promise<boolean>;
};

export const createClaimCaller = (options: CallerOptions): ClaimCaller => {
  const claims = (way: Transport) => createClient(ClaimService, way);
  const askClaim = async (request: CallRequest, send: Send<Shown>): Promise<Claim | undefined> =>
    (await ask(options, request, send))?.claim;
  const nameOf = (claim: Claim) =>
    `${claim.name.slice(0, claim.name.lastIndexOf('/'))}/${claim.uid}`;
  return {
    create: ({ project, claimId, ...wish }) =>
      askClaim({ verb: 'create', project, claimId }, (way, requestId, call) => {
        const parent = `${PARTITION}/projects/${project}`;
        const request = { parent, claimId, requestId, claim: { spec: specOf(wish) } };
        return claims(way).createClaim(request, call);
      }),
    createBatch: (wishes) => createBatch(options, wishes),
    show: (claim) => {
      const request = { name: nameOf(claim), minRevision: claim.status?.revision ?? 0n };
      return askClaim({ verb: 'show', claimUid: claim.uid }, (way, _, call) =>
        claims(way).getClaim(request, call),
      );
    },
    beginRelease: (claim) =>
      askClaim({ verb: 'begin-release', claimUid: claim.uid }, (way, requestId, call) =>
        claims(way).beginRelease({ name: nameOf(claim), requestId }, call),
      ),
    finishRelease: (claim, providerUid) => {
      const request = { verb: 'finish-release', claimUid: claim.uid, providerUid } as const;
      return askClaim(request, (way, requestId, call) =>
        claims(way).finishRelease({ name: nameOf(claim), providerUid, requestId }, call),
      );
    },
    moveEnd: (claim, releaseMs) => {
      const ends = claim.spec?.releaseTime;
      const fromReleaseMs = ends === undefined ? Infinity : timestampMs(ends);
      const request = { verb: 'move-end', claimUid: claim.uid, fromReleaseMs, releaseMs } as const;
      const releaseTime = timestampFromMs(releaseMs);
      return askClaim(request, (way, requestId, call) => {
        const sent = { name: nameOf(claim), releaseTime, requestId };
        return releaseMs > fromReleaseMs
          ? claims(way).extendClaim(sent, call)
          : claims(way).shortenClaim(sent, call);
      });
    },
    setQuota: async (project, limits) => {
      const spec = {
        limits: [...limits].map(([resourceType, amount]) => ({
          resourceType,
          amount: BigInt(amount),
        })),
      };
      const quota = { name: `${PARTITION}/projects/${project}/quota`, spec };
      const request = { verb: 'set-quota', project, limits } as const;
      const answer = await ask<Shown>(options, request, async (way, requestId, call) => {
        await createClient(QuotaService, way).setQuota({ quota, requestId }, call);
        return {};
      });
      return answer !== undefined;
    },
    setCapacity: async (wish) => {
      const { providerUid, generation, amounts, closed } = wish;
      const capacities = [...amounts].map(([resourceType, amount]) => {
        const all = BigInt(amount);
        return { resourceType, usable: all, minUnit: 1n, maxUnit: all, stepSize: 1n };
      });
      const inventoryGeneration = BigInt(generation);
      const answer = await ask<Shown>(
        options,
        { verb: 'set-capacity', ...wish },
        async (way, requestId, call) => {
          await createClient(CapacityService, way).setCapacity(
            { parent: PARTITION, providerUid, inventoryGeneration, capacities, closed, requestId },
            call,
          );
          return {};
        },
      );
      return answer !== undefined;
    },
  };
};
