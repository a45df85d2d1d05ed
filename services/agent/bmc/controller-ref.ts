import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Controller, ControllerSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type { BmcAddress } from '../bmc-port.ts';

export type DriverName = 'redfish' | 'ipmi';

/** One controller as the control plane names it. */
export type ControllerRef = {
  /** Which controller it is, for queues and sessions: two names of one host are two. */
  readonly key: string;
  /** Name of the provider, for messages. */
  readonly provider: string;
  readonly address: string;
  readonly ipmiAddress: string;
  /** Resource name of the secret with user and password. */
  readonly secret: string;
  readonly certificateSha256: string;
  /** In the order in which they are asked; the second for what the first does not offer. */
  readonly drivers: readonly DriverName[];
  /** The record says so, or its certificate is known, which only Redfish has. */
  readonly speaksRedfish: boolean;
};

/** Errors: invalid_argument INVALID_FIELD where there is no controller, or one without address. */
export const controllerRef = (
  controller: Controller | undefined,
  provider: string,
): ControllerRef => {
  const short = provider.split('/').at(-1) ?? provider;
  if (controller === undefined || controller.type === BmcType.NONE || controller.address === '') {
    throw invalidArgument(
      'INVALID_FIELD',
      `Provider "${short}" has no management controller; set spec.bmc.type and spec.bmc.address`,
      { metadata: { provider, field: 'controller' } },
    );
  }
  const { address, secret, certificateSha256, ipmiAddress, type } = controller;
  const isIpmi = type === BmcType.IPMI;
  return {
    key: controllerKey(address, ipmiAddress),
    provider: short,
    address,
    ipmiAddress: isIpmi ? address : ipmiAddress || hostOf(address),
    secret,
    certificateSha256: certificateSha256.toLowerCase(),
    drivers: isIpmi ? ['ipmi'] : ['redfish', 'ipmi'],
    speaksRedfish: type === BmcType.REDFISH || (!isIpmi && certificateSha256 !== ''),
  };
};

/** By the addresses as the record says them; `ipmiAddress` empty: none is said. */
export const controllerKey = (address: string, ipmiAddress: string): string =>
  `${address} ${ipmiAddress}`.toLowerCase();

export const addressFor = (ref: ControllerRef, driver: DriverName): BmcAddress => ({
  address: driver === 'ipmi' ? ref.ipmiAddress : ref.address,
  provider: ref.provider,
  certificateSha256: ref.certificateSha256,
});

/** The host of a URL or of "host:port"; IPv6 in brackets. */
const hostOf = (address: string): string => {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `https://${address}`;
  return URL.canParse(text) ? new URL(text).hostname : address;
};

export const controllerText = (controller: Controller): string =>
  Buffer.from(toBinary(ControllerSchema, controller)).toString('base64');

export const controllerOfText = (text: string): Controller =>
  fromBinary(ControllerSchema, Buffer.from(text, 'base64'));
