import { unauthenticated } from '../../runtime/errors.ts';
import type { RecordHead } from './record.ts';

/** The client certificate of an application; acts as its user. */
export type AppCertificate = RecordHead & {
  readonly userUid: string;
  readonly user: string;
  readonly csrPem: string;
  readonly certificatePem: string;
  /** Of the newest one, hexadecimal. */
  readonly serial: string;
  readonly lifetimeMs: number;
  readonly expireMs: number;
};

export const certificateName = ({ id }: { readonly id: string }): string => `certificates/${id}`;

/** An agent that joined. Its certificates name its uid. */
export type AgentRecord = {
  readonly uid: string;
  readonly partition: string;
  readonly agentId: string;
  readonly roles: readonly string[];
  readonly createMs: number;
  /** 0 = not revoked. */
  readonly revokedMs: number;
};

export const agentName = ({ partition, agentId }: AgentRecord): string =>
  `partitions/${partition}/agents/${agentId}`;

export const AGENT_LIFETIME_MS = 24 * 3_600_000;
/** A site that was cut off for up to this long comes back by itself. */
export const RENEWAL_GRACE_MS = 90 * 24 * 3_600_000;

/** Errors: unauthenticated TOKEN_EXPIRED. */
export const demandRenewable = (expireMs: number, nowMs: number): void => {
  if (nowMs <= expireMs + RENEWAL_GRACE_MS) return;
  throw unauthenticated(
    'BAD_CREDENTIALS',
    'The certificate expired more than 90 days ago and cannot be renewed; join again',
  );
};

/** Errors: unauthenticated CERTIFICATE_REVOKED. */
export const demandNotRevoked = (agent: AgentRecord): void => {
  if (agent.revokedMs === 0) return;
  throw unauthenticated('CERTIFICATE_REVOKED', `The agent "${agentName(agent)}" was revoked`, {
    metadata: { agent: agentName(agent) },
  });
};
