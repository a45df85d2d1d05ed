import { writeFileSync } from 'node:fs';
import { createClient } from '@connectrpc/connect';
import {
  type Certificate,
  CertificateSchema,
} from '../../../gen/runmachine/identity/v1/certificate_pb.ts';
import { CertificateService } from '../../../gen/runmachine/identity/v1/certificate_service_pb.ts';
import { systemClock } from '../../runtime/clock.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, listCommand, type Noun } from '../crud.ts';
import { formatAgo, parseSpanSeconds, secondsToDuration } from '../format/span.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';
import { makeKeyAndRequest } from '../signing-request.ts';

const noun: Noun<typeof CertificateSchema> = {
  singular: 'certificate',
  schema: CertificateSchema,
  name: (certificate) => certificate.name,
  fullName: (_, typed) => atTop('certificates', typed),
  columns: [
    { title: 'NAME', value: (certificate) => lastSegment(certificate.name) },
    { title: 'USER', value: (certificate) => lastSegment(certificate.spec?.user ?? '') },
    { title: 'ENDS', value: (certificate: Certificate) => ends(certificate) },
    { title: 'SERIAL', value: (certificate) => certificate.status?.serial ?? '' },
  ],
  people: (certificate) => certificate.name,
};

const ends = (certificate: Certificate): string =>
  certificate.status?.revokeTime
    ? 'revoked'
    : formatAgo(certificate.status?.expireTime, systemClock.now());

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(CertificateService, context.transport());
  const answer = await client.listCertificates(page, callOptions(context));
  return { rows: answer.certificates, nextPageToken: answer.nextPageToken };
});

export const create: Command = {
  summary: 'make a key here and a client certificate for it',
  positionals: [{ name: 'name', help: 'name of the new certificate' }],
  options: {
    out: {
      type: 'string',
      value: 'PREFIX',
      help: 'writes PREFIX.key (0600) and PREFIX.crt (NAME)',
    },
    user: { type: 'string', value: 'NAME', help: 'user that it acts as (you)' },
    lifetime: { type: 'string', value: 'SPAN', help: 'how long it is good (90d)' },
  },
  run: async (context, args) => {
    const name = newId(args.positional('name'));
    const prefix = args.string('out') ?? name;
    const { keyPem, requestPem } = await makeKeyAndRequest(name);
    const [user, lifetime] = [args.string('user'), args.string('lifetime')];
    const client = createClient(CertificateService, context.transport());
    const answer = await client.createCertificate(
      {
        certificateId: name,
        certificate: {
          spec: {
            csrPem: requestPem,
            user: user === undefined ? '' : atTop('users', user),
            ...(lifetime === undefined
              ? {}
              : { lifetime: secondsToDuration(parseSpanSeconds(lifetime, '--lifetime')) }),
          },
        },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    writeFileSync(`${prefix}.key`, keyPem, { mode: 0o600, flag: 'wx' });
    writeFileSync(`${prefix}.crt`, answer.certificate?.status?.certificatePem ?? '');
    context.output.remark(`wrote ${prefix}.key and ${prefix}.crt`);
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(CertificateService, context.transport());
  await client.deleteCertificate(request, callOptions(context));
});
