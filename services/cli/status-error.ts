import { ConnectError } from '@connectrpc/connect';
import type { Status } from '../../gen/google/rpc/status_pb.ts';

/** An error inside an answer as the error that an RPC would have thrown, with its details. */
export const statusError = (status: Status): ConnectError => {
  const error = new ConnectError(status.message, status.code);
  error.details = status.details.map((any) => ({
    type: any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1),
    value: any.value,
  }));
  return error;
};
