/** What is read at the controller of a provider that the caller may see. */
import type { HandlerContext } from '@connectrpc/connect';
import type { BmcAnswer } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { internal } from '../../runtime/errors.ts';
import type { BmcWork } from '../order-port.ts';
import { type HardwareDeps, WORK_MS } from './hardware-change.ts';
import { findVisibleProvider } from './visible-provider.ts';

export type HardwareRead = { readonly name: string; readonly work: BmcWork };

export const readHardware = async (
  deps: HardwareDeps,
  context: HandlerContext,
  { name, work }: HardwareRead,
): Promise<BmcAnswer> => {
  const provider = await findVisibleProvider(deps, name, context);
  const commandId = deps.random.requestId();
  const ordered = { work, commandId, timeoutMs: WORK_MS, isSafeTwice: true };
  return deps.orders.atProvider(provider, ordered, context.signal);
};

export const unexpected = (asked: string): never => {
  throw internal('INTERNAL', `The agent answered something else than ${asked}`);
};
