/**
 * What all verbs at a controller share: the provider, force with its reason, and a long deadline.
 */
import { createClient } from '@connectrpc/connect';
import { ProviderHardwareService } from '../../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Context, Option } from '../../command.ts';
import { showData } from '../../output.ts';
import { inPartition } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';

/** Controllers are slow: a minute of work, and the way there. */
const CALL_MS = 100_000;

export const hardware = (context: Context) =>
  createClient(ProviderHardwareService, context.transport());

export const slowCall = (context: Context) => callOptions(context, CALL_MS);

export const PROVIDER = [{ name: 'name', help: 'name or uid of the provider' }];

export const providerName = (context: Context, args: Args): string =>
  inPartition(context.settings, 'providers', args.positional('name'));

export const REASON: Readonly<Record<string, Option>> = {
  reason: { type: 'string', value: 'TEXT', help: 'why, for the audit' },
};

export const FORCE: Readonly<Record<string, Option>> = {
  ...REASON,
  force: {
    type: 'boolean',
    help: "also while a tenant's machine or claim holds it; needs --reason",
  },
};

export const forceOf = (args: Args) => {
  const [force, reason] = [args.flag('force'), args.string('reason') ?? ''];
  if (force && reason === '') {
    throw new UsageError('--force needs --reason', 'say why, for example --reason "fan swap"');
  }
  return { force, reason };
};

export const asked = (context: Context, args: Args) => ({
  name: providerName(context, args),
  ...forceOf(args),
  requestId: context.random.requestId(),
});

/** One word for programs, a sentence for people. */
export const say = async (
  context: Context,
  told: { readonly value: object; readonly people: string; readonly next?: string },
): Promise<void> => {
  const { output } = context;
  await showData(output, told.value, () => told.people);
  if (told.next !== undefined && output.mode === 'table') output.remark(`next: ${told.next}`);
};
