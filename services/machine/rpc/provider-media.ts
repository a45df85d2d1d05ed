/** The virtual CD-ROM drive of a provider. */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { BmcAnswer } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import {
  type EjectProviderMediaRequest,
  EjectProviderMediaResponseSchema,
  type InsertProviderMediaRequest,
  InsertProviderMediaResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { changeHardware, type HardwareDeps } from './hardware-change.ts';
import { unexpected } from './hardware-read.ts';

export const mediaUrlOf = ({ content }: BmcAnswer): string =>
  content.case === 'mediaUrl' ? content.value : unexpected('media_url');

export const insertMedia = (
  deps: HardwareDeps,
  request: InsertProviderMediaRequest,
  context: HandlerContext,
) => {
  const { url } = request;
  // What follows may be a token.
  const shown = url.replace(/[?#].*$/s, '');
  return changeHardware(deps, context, {
    request,
    type: 'provider.media_inserted',
    work: { case: 'insertMedia', value: { url } },
    isSafeTwice: true,
    sentence: `inserted a medium: ${shown}`,
    said: { url: shown },
    schema: InsertProviderMediaResponseSchema,
    answer: (answer) => create(InsertProviderMediaResponseSchema, { url: mediaUrlOf(answer) }),
  });
};

export const ejectMedia = (
  deps: HardwareDeps,
  request: EjectProviderMediaRequest,
  context: HandlerContext,
) =>
  changeHardware(deps, context, {
    request,
    type: 'provider.media_ejected',
    work: { case: 'ejectMedia', value: {} },
    isSafeTwice: true,
    sentence: 'ejected its medium',
    said: {},
    schema: EjectProviderMediaResponseSchema,
    answer: () => create(EjectProviderMediaResponseSchema),
  });
