/** Settings of the firmware of a provider. */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { BiosAttribute } from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import {
  type SetProviderBiosAttributesRequest,
  SetProviderBiosAttributesResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { changeHardware, type HardwareDeps } from './hardware-change.ts';

export const setBios = (
  deps: HardwareDeps,
  request: SetProviderBiosAttributesRequest,
  context: HandlerContext,
) => {
  const { attributes } = request;
  demandValues(attributes);
  const names = attributes.map(({ name }) => name).join(', ');
  return changeHardware(deps, context, {
    request,
    type: 'provider.bios_set',
    work: { case: 'setBios', value: { attributes } },
    isSafeTwice: true,
    sentence: `set for the next boot: ${names}`,
    said: Object.fromEntries(attributes.map(auditedOf)),
    schema: SetProviderBiosAttributesResponseSchema,
    answer: () => create(SetProviderBiosAttributesResponseSchema),
  });
};

/** Passwords are attributes as well in some firmware. */
const auditedOf = ({ name, value }: BiosAttribute): readonly [string, string] => [
  `bios.${name}`,
  /passw|secret|pwd/i.test(name) ? '(hidden)' : String(value.value),
];

const demandValues = (attributes: readonly BiosAttribute[]): void => {
  const seen = new Set<string>();
  for (const [index, { name, value }] of attributes.entries()) {
    const field = `attributes[${index}]`;
    if (seen.has(name)) throw wrong(field, `"${name}" is named twice`);
    if (value.case === undefined) throw wrong(field, `"${name}" has no value`);
    seen.add(name);
  }
};

const wrong = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
