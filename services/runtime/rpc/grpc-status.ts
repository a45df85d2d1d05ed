import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { type Status, StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import { headersOf } from './grpc-context.ts';

const DETAILS = 'grpc-status-details-bin';

/** The status that grpc-js sends for an error, details included. */
export const statusOf = (error: ConnectError): StatusObject => {
  const metadata = new Metadata();
  const details = error.details.map((detail) =>
    'desc' in detail
      ? anyPack(detail.desc, create(detail.desc, detail.value))
      : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
  );
  if (details.length > 0) {
    const status = create(StatusSchema, { code: error.code, message: error.rawMessage, details });
    metadata.set(DETAILS, Buffer.from(toBinary(StatusSchema, status)));
  }
  // The codes of Connect are the codes of gRPC.
  const code: number = error.code;
  return { code, details: error.rawMessage, metadata };
};

/** The error that a status of grpc-js stands for, details included. */
export const errorOfStatus = (status: StatusObject): ConnectError => {
  // The codes of Connect are the codes of gRPC.
  const code: number = status.code;
  const [encoded] = status.metadata?.get(DETAILS) ?? [];
  const error = new ConnectError(
    status.details,
    code,
    status.metadata === undefined ? undefined : headersOf(status.metadata),
  );
  if (encoded instanceof Buffer) error.details = detailsIn(encoded);
  return error;
};

/** The error that a status within a message stands for. */
export const errorIn = (status: Status): ConnectError => {
  const error = new ConnectError(status.message, status.code);
  error.details = detailsOf(status);
  return error;
};

const detailsOf = ({ details }: Status): ConnectError['details'] =>
  details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
    value,
  }));

const detailsIn = (encoded: Buffer): ConnectError['details'] => {
  try {
    return detailsOf(fromBinary(StatusSchema, encoded));
  } catch {
    // A broken detail must not hide the error that it belongs to.
    return [];
  }
};
