import type { Random } from '../../random.ts';
import { REQUEST_ID } from '../on-behalf-of.ts';
import type { Stage } from './stage.ts';

// What a caller may choose goes into log lines and headers, so nothing that could break either.
const ACCEPTED = /^[A-Za-z0-9._-]{8,64}$/;

/** Takes the caller's x-request-id or makes one, and echoes it, also with an error. */
export const requestIdStage = (random: Random): Stage => ({
  name: 'request id',
  begin: (call) => {
    const given = call.peer.header(REQUEST_ID);
    call.requestId = given !== undefined && ACCEPTED.test(given) ? given : random.requestId();
    call.context.responseHeader.set(REQUEST_ID, call.requestId);
    return undefined;
  },
});
