import { isDomainError } from '../../runtime/errors.ts';
import { domainErrorOf } from '../../runtime/rpc/error-reading.ts';
import { BmcError, type BmcFault } from '../bmc-port.ts';
import { TurnNeverCame } from './controllers.ts';

export type OrderFailure = { readonly reason: string; readonly message: string };

/** Reason of a result, and what a person does about it. */
const FAULTS: Readonly<Record<BmcFault, { readonly reason: string; readonly cure: string }>> = {
  unreachable: {
    reason: 'BMC_UNREACHABLE',
    cure: 'Check the address, the cable and that this agent may reach the management network',
  },
  timeout: {
    reason: 'BMC_TIMEOUT',
    cure: 'Read what it is now before repeating a change; if it stays silent, reset the BMC',
  },
  unauthorized: { reason: 'BMC_UNAUTHORIZED', cure: '' },
  certificate: {
    reason: 'BMC_CERTIFICATE',
    cure:
      'If the BMC was replaced or its certificate renewed, record what it shows now: ' +
      'runm provider import, with the columns name and bmc.certificate',
  },
  unsupported: { reason: 'BMC_UNSUPPORTED', cure: '' },
  refused: { reason: 'BMC_REFUSED', cure: '' },
  busy: { reason: 'BMC_BUSY', cure: 'Repeat it later; other programs may hold all its sessions' },
  protocol: {
    reason: 'BMC_PROTOCOL',
    cure: 'See what works with `runm provider probe`; newer BMC firmware may cure it',
  },
  not_applied: {
    reason: 'BMC_NOT_APPLIED',
    cure: 'Repeat it; if it stays so, reset the BMC',
  },
};

const MESSAGE_MAX = 2_000;

/** What failed, in the controller's own words where it has some, and the cure. */
export const failureOf = (error: unknown): OrderFailure => {
  if (error instanceof BmcError) {
    const { reason, cure } = FAULTS[error.fault];
    const said = error.said
      .filter((one) => !error.message.includes(one))
      .map((one) => one.replace(/^[a-z]/, (first) => first.toUpperCase()));
    return { reason, message: sentences([error.message, ...said, cure]) };
  }
  if (error instanceof TurnNeverCame) {
    return { reason: 'EXPIRED', message: sentences([`It was not begun: ${error.message}`]) };
  }
  const known = isDomainError(error) ? error : domainErrorOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return { reason: known?.reason ?? 'INTERNAL', message: sentences([known?.message ?? message]) };
};

const sentences = (parts: readonly string[]): string =>
  parts
    .filter((part) => part !== '')
    .map((part) => part.replace(/[.\s]+$/, ''))
    .join('. ')
    .slice(0, MESSAGE_MAX);
