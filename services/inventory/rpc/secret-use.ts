import type { Bmc } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { ProviderSpec } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import type { Identity } from '../../runtime/identity.ts';
import { namePattern } from '../../runtime/names.ts';

const SECRET = namePattern('projects/{project}/secrets/{secret}');

/**
 * Agents sign in with a secret wherever a provider says that its controller is. So whoever says so
 * must be one who may see that secret: else he could have it sent to an address of his own.
 */
export const secretUseViolations = (
  caller: Identity,
  spec: ProviderSpec,
  before: ProviderSpec | undefined,
): FieldViolation[] => {
  const { bmc } = spec;
  const secret = bmc?.secret ?? '';
  if (bmc === undefined || secret === '' || isSent(bmc, before?.bmc)) return [];
  const project = SECRET.parse(secret)?.project;
  // What is no name of a secret is refused as that.
  if (project === undefined) return [];
  if (accessFor(caller, 'secret.get').covers({ project })) return [];
  const description = `"${secret}" is not there, or you may not see it`;
  return [{ field: 'spec.bmc.secret', description }];
};

/** It went to these places before. */
const isSent = (bmc: Bmc, had: Bmc | undefined): boolean =>
  had !== undefined &&
  had.secret === bmc.secret &&
  had.address === bmc.address &&
  had.ipmiAddress === bmc.ipmiAddress &&
  had.type === bmc.type &&
  had.certificateSha256 === bmc.certificateSha256;
