import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type RenewRequest,
  type RenewResponse,
  RenewResponseSchema,
} from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { callOf, type HasValues, requestKeyOf } from '../../runtime/context.ts';
import { type DomainError, invalidArgument, unauthenticated } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { KnownCertificate } from '../authority/authority.ts';
import type { Signed } from '../authority/sign.ts';
import { readSigningRequest, type SigningRequest } from '../authority/signing-request.ts';
import { AGENT_LIFETIME_MS, demandNotRevoked, demandRenewable } from '../domain/certificate.ts';
import type { RpcDeps } from './deps.ts';

/**
 * The same identity again for who holds the key of its certificate. The request proves the caller:
 * the certificate says who, the signature of the CSR that he has the key, our records that he is
 * still welcome.
 */
export const renew = async (
  deps: RpcDeps,
  { certificatePem, csrPem }: RenewRequest,
  context: HasValues,
): Promise<RenewResponse> => {
  const { store, clock, authority } = deps;
  const known = await authority.read(certificatePem);
  if (known === undefined) throw unknown('The certificate is not one of this installation');
  const request = await readSigningRequest(csrPem);
  if (!request.publicKeyDer.equals(known.publicKeyDer)) {
    const what = 'The request must be signed with the certificate’s key';
    throw invalidArgument('CSR_INVALID', what, {
      violations: [{ field: 'csr_pem', description: 'has another key than the certificate' }],
    });
  }
  demandRenewable(known.expireMs, clock.now().getTime());
  const { kind, id } = known.principal;
  const actor = { principal: `${kind}s/${id}`, requestId: callOf(context).requestId };
  return store.transaction(requestKeyOf(context, RenewResponseSchema), actor, async (tx) => {
    const signed = await signFor(deps, tx, { known, request });
    tx.audit({
      action: 'certificate.renew',
      objectKind: kind,
      objectUid: id,
      objectName: `${kind}s/${id}`,
      before: { serial: known.serial },
      after: { serial: signed.serial },
    });
    return create(RenewResponseSchema, {
      certificatePem: signed.pem,
      caPem: authority.caPem,
      expireTime: timestampFromMs(signed.expireMs),
    });
  });
};

type Renewal = { readonly known: KnownCertificate; readonly request: SigningRequest };

const signFor = async (
  { records, authority, clock }: RpcDeps,
  tx: Tx,
  { known, request }: Renewal,
): Promise<Signed> => {
  const { principal } = known;
  switch (principal.kind) {
    case 'agent': {
      const agent = await records.agents.find(tx, principal.id);
      if (agent === undefined) throw unknown('The agent of this certificate does not exist');
      demandNotRevoked(agent);
      return authority.signClient(principal, request, AGENT_LIFETIME_MS);
    }
    case 'app': {
      const app = await records.certificates.lock(tx, principal.id);
      if (app === undefined) throw unknown('The certificate was deleted');
      const signed = await authority.signClient(principal, request, app.lifetimeMs);
      await records.certificates.save(tx, {
        ...app,
        certificatePem: signed.pem,
        serial: signed.serial,
        expireMs: signed.expireMs,
        updateMs: clock.now().getTime(),
      });
      return signed;
    }
    case 'service':
      return authority.signAgain(known, request);
    case 'user':
      throw unknown('Users have no certificates');
  }
};

const unknown = (message: string): DomainError => unauthenticated('BAD_CREDENTIALS', message);
