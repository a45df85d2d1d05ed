import { timestampDate } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { ClaimAllocation } from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { describeProvider, type Field } from '../../describe-provider.ts';
import { formatLocalTime } from '../../format/span.ts';
import { showOne } from '../../output.ts';
import { providerNoun } from '../provider.ts';
import { endText, holderText, readStanding, stateOf } from './standing.ts';

const heldField = (one: ClaimAllocation, now: Date): Field => {
  const until = one.releaseTime ? `, until ${endText(one)}` : ', for ever';
  const { acquireTime } = one;
  return acquireTime !== undefined && timestampDate(acquireTime) > now
    ? ['booked by', `${holderText(one)}, from ${formatLocalTime(acquireTime)}${until}`]
    : ['held by', `${holderText(one)}${until}`];
};

/** More holders than that nobody reads; `runm claim allocations` has all. */
const HOLDERS_SHOWN = 8;

export const get: Command = {
  summary: 'show one provider: what it is, where it stands and who holds it until when',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  examples: ['runm provider get r1u1', 'runm provider get r1u1 --yaml'],
  run: async (context, args) => {
    const client = createClient(ProviderService, context.transport());
    const name = providerNoun.fullName(context, args.positional('name'));
    const { provider } = await client.getProvider({ name }, callOptions(context));
    if (!provider) throw new Error('the answer holds no provider');
    let more: readonly Field[] = [];
    if (context.output.mode === 'table') {
      const { uid } = provider;
      const asked = { providerUid: uid, isLaterToo: true };
      const standing = await readStanding(context, stateOf(context, provider.name), asked);
      const now = context.clock.now();
      const holds = standing.holds(uid);
      const left = holds.length - HOLDERS_SHOWN;
      more = [
        ['state', standing.state(uid)],
        ...holds.slice(0, HOLDERS_SHOWN).map((one) => heldField(one, now)),
        ['', left > 0 ? `and ${left} more; runm claim allocations shows them` : ''],
      ];
    }
    const people = () => describeProvider(provider, more);
    await showOne(context.output, providerNoun, { message: provider, people });
    return undefined;
  },
};
