import { callOf, type HasValues } from './context.ts';

/** Who acts, as store.transaction wants it for the audit row: who was on the wire and for whom. */
export type AuditActor = {
  readonly principal: string;
  /** Absent: the one on the wire acted for itself. */
  readonly onBehalfOf?: string;
  /** Of the log, not the request_id field. */
  readonly requestId: string;
};

export const actorOf = (context: HasValues): AuditActor => {
  const { actor, identity, requestId } = callOf(context);
  return {
    principal: actor.principal,
    ...(actor.principal !== identity.principal && { onBehalfOf: identity.principal }),
    requestId,
  };
};
