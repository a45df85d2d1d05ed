/** Between the contract and the domain, in one place. */
import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { PropertyValueSchema } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type Certificate,
  CertificateSchema,
} from '../../../gen/runmachine/identity/v1/certificate_pb.ts';
import {
  type Grant as GrantMessage,
  GrantSchema,
} from '../../../gen/runmachine/identity/v1/grant_pb.ts';
import {
  type Project as ProjectMessage,
  ProjectSchema,
} from '../../../gen/runmachine/identity/v1/project_pb.ts';
import {
  type Role as RoleMessage,
  RoleSchema,
} from '../../../gen/runmachine/identity/v1/role_pb.ts';
import {
  type Token as TokenMessage,
  TokenSchema,
} from '../../../gen/runmachine/identity/v1/token_pb.ts';
import {
  type User as UserMessage,
  UserSchema,
} from '../../../gen/runmachine/identity/v1/user_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type { Grant as HeldGrant } from '../../runtime/identity.ts';
import { type AppCertificate, certificateName } from '../domain/certificate.ts';
import type { Grant } from '../domain/grant.ts';
import { type Project, projectName } from '../domain/project.ts';
import type { RecordHead } from '../domain/record.ts';
import type { Role } from '../domain/role.ts';
import { type Token, tokenName } from '../domain/token.ts';
import { type User, userName } from '../domain/user.ts';

const headOf = (record: RecordHead & { readonly generation?: number }, etag: string) => ({
  uid: record.uid,
  etag,
  generation: BigInt(record.generation ?? 1),
  createTime: timestampFromMs(record.createMs),
  updateTime: timestampFromMs(record.updateMs),
});

export const projectMessage = (project: Project, etag: string): ProjectMessage =>
  create(ProjectSchema, {
    ...headOf(project, etag),
    name: projectName(project),
    properties: Object.fromEntries(
      Object.entries(project.properties).map(([key, value]) => [
        key,
        fromJson(PropertyValueSchema, value as JsonValue),
      ]),
    ),
    tags: [...project.tags],
    spec: {
      displayName: project.displayName,
      parentProject: project.parent === '' ? '' : `projects/${project.parent}`,
      contacts: [...project.contacts],
    },
  });

/**
 * Id of the project inside which that one is; empty = none. Errors: invalid_argument INVALID_FIELD.
 */
export const parentIdOf = ({ spec }: ProjectMessage): string =>
  spec === undefined || spec.parentProject === ''
    ? ''
    : idOf('project.spec.parent_project', 'projects', spec.parentProject);

export const propertiesOf = (message: ProjectMessage): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(message.properties).map(([key, value]) => [
      key,
      toJson(PropertyValueSchema, value),
    ]),
  );

export const userMessage = (user: User, etag: string): UserMessage =>
  create(UserSchema, {
    ...headOf(user, etag),
    name: userName(user),
    spec: { displayName: user.displayName },
    status: { grants: user.grants.map(grantMessage) },
  });

export const roleMessage = (role: Role): RoleMessage =>
  create(RoleSchema, {
    name: `roles/${role.id}`,
    description: role.description,
    permissions: [...role.permissions],
  });

export const tokenMessage = (token: Token, etag: string): TokenMessage =>
  create(TokenSchema, {
    ...headOf(token, etag),
    name: tokenName(token),
    spec: {
      user: `users/${token.user}`,
      lifetime: durationFromMs(token.lifetimeMs),
      grants: token.grants.map(grantMessage),
    },
    status: {
      expireTime: timestampFromMs(token.expireMs),
      ...(token.lastUseMs > 0 && { lastUseTime: timestampFromMs(token.lastUseMs) }),
    },
  });

export const certificateMessage = (certificate: AppCertificate, etag: string): Certificate =>
  create(CertificateSchema, {
    ...headOf(certificate, etag),
    name: certificateName(certificate),
    spec: {
      csrPem: certificate.csrPem,
      lifetime: durationFromMs(certificate.lifetimeMs),
      user: `users/${certificate.user}`,
    },
    status: {
      certificatePem: certificate.certificatePem,
      expireTime: timestampFromMs(certificate.expireMs),
      serial: certificate.serial,
    },
  });

export const grantMessage = (grant: Grant): GrantMessage =>
  create(GrantSchema, {
    role: `roles/${grant.role}`,
    partition: grant.partition === '' ? '' : `partitions/${grant.partition}`,
    project: grant.project === '' ? '' : `projects/${grant.project}`,
  });

/** Errors: invalid_argument INVALID_FIELD naming the field that is no resource name. */
export const grantOf = (message: GrantMessage): Grant => ({
  role: idOf('grant.role', 'roles', message.role),
  partition:
    message.partition === '' ? '' : idOf('grant.partition', 'partitions', message.partition),
  project: message.project === '' ? '' : idOf('grant.project', 'projects', message.project),
});

const ID = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;

/** The id in "collection/{id}". Errors: invalid_argument INVALID_FIELD naming the field. */
export const idOf = (field: string, collection: string, name: string): string => {
  const id = name.startsWith(`${collection}/`) ? name.slice(collection.length + 1) : '';
  if (ID.test(id)) return id;
  const description = `must be "${collection}/{id}", not "${name}"`;
  throw invalidArgument('INVALID_FIELD', `${field} ${description}`, {
    metadata: { field, value: name },
    violations: [{ field, description }],
  });
};

/** What the caller of an RPC holds, as the domain says it. */
export const heldGrants = (grants: readonly HeldGrant[]): readonly Grant[] =>
  grants.map(({ role, partition, project }) => ({
    role,
    partition: partition ?? '',
    project: project ?? '',
  }));
