import { type Policy, RequestIdRule } from '../../../../gen/runmachine/common/v1/policy_pb.ts';
import { invalidArgument } from '../../errors.ts';
import { isUid } from '../../names.ts';
import { requestMark } from '../../request-key.ts';
import type { Stage } from './stage.ts';

/** Checks the request_id and prepares what the transaction stores; storing is not done here. */
export const idempotencyStage = (): Stage => ({
  name: 'idempotency',
  request: (call, message, isFirst) => {
    if (!isFirst) return;
    const requestId = call.facts.requestIdIn(message) ?? '';
    if (requestId === '') {
      demandWhereRequired(call.facts.policy);
      return;
    }
    if (!isUid(requestId)) {
      throw invalidArgument('INVALID_FIELD', 'request_id must be a UUID or empty', {
        violations: [{ field: 'request_id', description: 'must be a UUID or empty' }],
        metadata: { field: 'request_id' },
      });
    }
    const { method, name } = call.facts;
    const caller = call.identity.principal;
    call.requestMark = requestMark({ method, name, caller }, requestId, message);
  },
});

const demandWhereRequired = (policy: Policy | undefined): void => {
  if (policy?.requestId !== RequestIdRule.REQUIRED) return;
  throw invalidArgument(
    'REQUEST_ID_REQUIRED',
    'request_id is empty: set a new UUID before the first attempt and keep it for every retry',
    { violations: [{ field: 'request_id', description: 'must be set to a UUID' }] },
  );
};
