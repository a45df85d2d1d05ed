import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { CertificateSchema } from '../../../gen/runmachine/identity/v1/certificate_pb.ts';
import {
  CertificateService,
  CreateCertificateResponseSchema,
  DeleteCertificateResponseSchema,
} from '../../../gen/runmachine/identity/v1/certificate_service_pb.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { readSigningRequest } from '../authority/signing-request.ts';
import { type AppCertificate, certificateName } from '../domain/certificate.ts';
import { newHead } from '../domain/record.ts';
import { ownerScope, userForCredential } from './acting-user.ts';
import { certificateMessage } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, nameKey, pageOf } from './mutate.ts';

const LIFETIME_MS = 90 * 24 * 3_600_000;

export const certificateService = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random, authority } = deps;
  const toMessage = (one: AppCertificate) => certificateMessage(one, etagFor(deps, one));
  return implement(CertificateService, {
    getCertificate: ({ name }, context) =>
      store.read(async (reader) => {
        const owner = await ownerScope(deps, reader, context);
        const found = await records.certificates.find(reader, idIn(name));
        if (found === undefined || !isWithin(found, owner)) throw missing(name);
        return { certificate: toMessage(found) };
      }),
    listCertificates: (request, context) =>
      store.read(async (reader) => {
        const owner = await ownerScope(deps, reader, context);
        const page = pageOf(deps, request, { owner });
        const filter = { userUid: owner ?? '' };
        const rows =
          owner === undefined ? [] : await records.certificates.list(reader, filter, page);
        const { messages, nextPageToken } = pageOfMessages(page, rows, {
          schema: CertificateSchema,
          toMessage,
          keyOf: nameKey,
        });
        return { certificates: messages, nextPageToken };
      }),
    createCertificate: async ({ certificateId, certificate, validateOnly }, context) => {
      const { csrPem = '', lifetime, user: userGiven = '' } = certificate?.spec ?? {};
      const request = await readSigningRequest(csrPem);
      const response = CreateCertificateResponseSchema;
      return mutate(deps, context, { response, validateOnly }, async (tx) => {
        const user = await userForCredential(deps, tx, { user: userGiven, limits: [], context });
        const head = newHead({
          uid: random.uid(),
          id: certificateId,
          nowMs: clock.now().getTime(),
        });
        const lifetimeMs = lifetime === undefined ? LIFETIME_MS : durationMs(lifetime);
        const principal = { kind: 'app', id: head.uid } as const;
        const signed = await authority.signClient(principal, request, lifetimeMs);
        const made: AppCertificate = {
          ...head,
          userUid: user.uid,
          user: user.id,
          csrPem,
          certificatePem: signed.pem,
          serial: signed.serial,
          lifetimeMs,
          expireMs: signed.expireMs,
        };
        await records.certificates.insert(tx, made);
        audit(tx, 'certificate.create', { certificate: made, after: made });
        const shown = validateOnly ? { ...made, certificatePem: '', serial: '' } : made;
        return create(response, { certificate: toMessage(shown) });
      });
    },
    deleteCertificate: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeleteCertificateResponseSchema }, async (tx) => {
        const owner = await ownerScope(deps, tx, context);
        const seen = await records.certificates.find(tx, idIn(name));
        const isThere = seen !== undefined && isWithin(seen, owner);
        const found = isThere ? await records.certificates.lock(tx, seen.uid) : undefined;
        if (found === undefined) {
          if (allowMissing) return create(DeleteCertificateResponseSchema);
          throw missing(name);
        }
        checkLockedEtag(deps, etag, found);
        await records.certificates.remove(tx, found);
        audit(tx, 'certificate.delete', { certificate: found, before: found });
        return create(DeleteCertificateResponseSchema);
      }),
  });
};

const isWithin = ({ userUid }: AppCertificate, owner: string | undefined): boolean =>
  owner === '' || owner === userUid;

type Audited = {
  readonly certificate: AppCertificate;
  readonly before?: unknown;
  readonly after?: unknown;
};

const audit = (tx: Tx, action: string, { certificate, ...states }: Audited): void =>
  tx.audit({
    action,
    objectKind: 'certificate',
    objectUid: certificate.uid,
    objectName: certificateName(certificate),
    ...states,
  });
