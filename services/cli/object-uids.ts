import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from './call-options.ts';
import type { Context } from './command.ts';
import { inPartition, inProject } from './resource-names.ts';
import { UsageError } from './usage-error.ts';

/**
 * People type names; where the contract wants a uid the object is read. A uid is taken as it is,
 * so that who may not read the object can still name it.
 */
const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isUid = (text: string): boolean => UID.test(text);

export const providerUid = async (context: Context, typed: string): Promise<string> => {
  if (isUid(typed)) return typed;
  const client = createClient(ProviderService, context.transport());
  const name = inPartition(context.settings, 'providers', typed);
  return (await client.getProvider({ name }, callOptions(context))).provider?.uid ?? '';
};

export const providerUids = (context: Context, typed: readonly string[]): Promise<string[]> =>
  Promise.all(typed.map((one) => providerUid(context, one)));

/** What holds resources: its type, uid and name for people. */
export type Holder = { readonly type: string; readonly uid: string; readonly name: string };

/** "machine:web-2" is read; "runm.volume:<uid>" is taken as it is. */
export const parseHolder = async (
  context: Context,
  text: string,
  what: string,
): Promise<Holder> => {
  const at = text.indexOf(':');
  const [kind, rest] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && kind === 'machine' && rest !== '') {
    return { type: 'runm.machine', ...(await readMachine(context, rest)) };
  }
  if (/^runm\.(machine|volume|headnode)$/.test(kind) && isUid(rest)) {
    return { type: kind, uid: rest, name: '' };
  }
  throw new UsageError(
    `${what}: "${text}" is no consumer`,
    'write it like machine:web-2 or runm.volume:UID',
  );
};

/** Uid of a consumer or claim: "machine:web", "claim:db", or a uid. */
export const holderUid = async (context: Context, text: string, what: string): Promise<string> => {
  if (isUid(text)) return text;
  const at = text.indexOf(':');
  const [kind, rest] = [text.slice(0, at), text.slice(at + 1)];
  if (kind === 'claim' && rest !== '') return claimUid(context, rest);
  if (kind === 'machine' && rest !== '') return (await readMachine(context, rest)).uid;
  throw new UsageError(
    `${what}: "${text}" is neither claim nor consumer`,
    'write it like claim:db, machine:web or a uid',
  );
};

const claimUid = async (context: Context, typed: string): Promise<string> => {
  if (isUid(typed)) return typed;
  const { ClaimService } = await import('../../gen/runmachine/scheduler/v1/claim_service_pb.ts');
  const client = createClient(ClaimService, context.transport());
  const name = inProject(context.settings, 'claims', typed);
  return (await client.getClaim({ name }, callOptions(context))).claim?.uid ?? '';
};

const readMachine = async (context: Context, typed: string) => {
  const { MachineService } = await import('../../gen/runmachine/machine/v1/machine_service_pb.ts');
  const client = createClient(MachineService, context.transport());
  const name = inProject(context.settings, 'machines', typed);
  const found = (await client.getMachine({ name }, callOptions(context))).machine;
  return { uid: found?.uid ?? '', name: found?.name ?? '' };
};
