import { equals } from '@bufbuild/protobuf';
import { type Bmc, BmcSchema } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { ProviderSpec } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import type { Identity } from '../../runtime/identity.ts';
import { namePattern } from '../../runtime/names.ts';
import { keyOf } from '../domain/records.ts';

const SECRET = namePattern('projects/{project}/secrets/{secret}');

/**
 * The agents that a provider names for its controller read the secret and sign in with it wherever
 * the provider says that the controller is. So whoever says either must be one who may see that
 * secret: else he could have it read by an agent of his own, or sent to an address of his own.
 */
export const secretUseViolations = (
  caller: Identity,
  spec: ProviderSpec,
  before: ProviderSpec | undefined,
): FieldViolation[] => {
  const { bmc } = spec;
  const secret = bmc?.secret ?? '';
  if (bmc === undefined || secret === '') return [];
  if (isSent(bmc, before?.bmc) && isRead(spec, before)) return [];
  const project = SECRET.parse(secret)?.project;
  // What is no name of a secret is refused as that.
  if (project === undefined) return [];
  if (accessFor(caller, 'secret.get').covers({ project })) return [];
  const description = `"${secret}" is not there, or you may not see it`;
  return [{ field: 'spec.bmc.secret', description }];
};

/** It went there before: every field says where, or what must be shown there. */
const isSent = (bmc: Bmc, had: Bmc | undefined): boolean =>
  had !== undefined && equals(BmcSchema, bmc, had);

/** These agents read it before; that fewer do is no matter. */
const isRead = (spec: ProviderSpec, before: ProviderSpec | undefined): boolean => {
  const had = new Set(before === undefined ? [] : readersOf(before));
  return readersOf(spec).every((agent) => had.has(agent));
};

const readersOf = ({ agentPools }: ProviderSpec): readonly string[] =>
  agentPools.filter(({ role }) => role === 'bmc').flatMap(({ agents }) => agents.map(keyOf));
