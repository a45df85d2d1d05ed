import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Secret as SecretMessage,
  SecretSchema,
} from '../../../gen/runmachine/identity/v1/secret_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import { type Secret, secretName } from '../domain/secret.ts';
import type { SecretAt } from '../ports.ts';
import { missing } from './mutate.ts';

/** What may be known of it: never a value. */
export const secretMessage = (secret: Secret, etag: string): SecretMessage =>
  create(SecretSchema, {
    name: secretName(secret),
    uid: secret.uid,
    etag,
    generation: BigInt(secret.generation),
    createTime: timestampFromMs(secret.createMs),
    updateTime: timestampFromMs(secret.updateMs),
    description: secret.description,
    keys: [...secret.present.keys],
    ...(secret.staged && { stageTime: timestampFromMs(secret.staged.sinceMs) }),
  });

const NAME = namePattern('projects/{project}/secrets/{secret}');

/** Errors: not_found for what is no such name. */
export const secretAt = (name: string): SecretAt => {
  const parsed = NAME.parse(name);
  if (parsed === undefined) throw missing(name);
  return { project: parsed.project, idOrUid: parsed.secret };
};
