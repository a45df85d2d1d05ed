import { ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema } from '../../../../gen/google/rpc/error_details_pb.ts';

/** "claims[5].claim.tags[0]" of a call: the item, and that something in it follows. */
const ITEM = /\bclaims\[(\d+)\](?:\.claim(?=\.))?(\.)?/g;

/**
 * An error of a call with the documents of the file in place of the call's items: "document 70:
 * tags[0]". So many documents as `before` were in earlier calls.
 */
export const namingDocuments = (error: ConnectError, before: number): ConnectError => {
  const named = (text: string): string =>
    text.replaceAll(
      ITEM,
      (_, at: string, more = '') => `document ${before + Number(at) + 1}${more && ': '}`,
    );
  const others = error.details.filter((one) => !RENAMED.has(typeOf(one)));
  const infos = error.findDetails(ErrorInfoSchema).map((value) => ({
    desc: ErrorInfoSchema,
    value: { ...value, metadata: mapped(value.metadata, named) },
  }));
  const requests = error.findDetails(BadRequestSchema).map((value) => ({
    desc: BadRequestSchema,
    value: {
      fieldViolations: value.fieldViolations.map((one) => ({ ...one, field: named(one.field) })),
    },
  }));
  const message = named(error.rawMessage);
  const renamed = new ConnectError(message, error.code, error.metadata, undefined, error);
  renamed.details = [...infos, ...requests, ...others];
  return renamed;
};

const RENAMED: ReadonlySet<string> = new Set([ErrorInfoSchema.typeName, BadRequestSchema.typeName]);

const typeOf = (detail: ConnectError['details'][number]): string =>
  'desc' in detail ? detail.desc.typeName : detail.type;

const mapped = (
  metadata: Readonly<Record<string, string>>,
  change: (text: string) => string,
): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, change(value)]));
