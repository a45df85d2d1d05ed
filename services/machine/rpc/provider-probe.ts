import type { HandlerContext } from '@connectrpc/connect';
import { missRemarks } from '../domain/reach.ts';
import type { HardwareDeps } from './hardware-change.ts';
import { readHardware, unexpected } from './hardware-read.ts';
import { findVisibleProvider } from './visible-provider.ts';

/** What its controller offers, and which agents of its pool do not reach it. */
export const probeProvider = async (
  deps: HardwareDeps,
  { name }: { readonly name: string },
  context: HandlerContext,
) => {
  const work = { case: 'probe', value: {} } as const;
  const { content } = await readHardware(deps, context, { name, work });
  if (content.case !== 'probe') return unexpected('probe');
  const { uid } = await findVisibleProvider(deps, name, context);
  const lease = await deps.store.read((reader) => deps.records.hardware.findLease(reader, uid));
  const remarks = [...content.value.remarks, ...missRemarks(lease?.missed ?? [])];
  return { report: { ...content.value, remarks } };
};
