import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { OpenChannelSchema } from '../../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { memoryBmc } from '../../../fakes/memory-bmc.ts';
import { bmcParts, controllerAt, PROVIDER, refAt } from '../../../support/bmc-parts.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const never = new AbortController().signal;
const ADDRESS = 'r1u1-bmc.lab';

test('a tenant whose console cannot be opened reads why, and not where; an operator both', async (t) => {
  using dir = temporaryDir();
  const bmc = memoryBmc();
  bmc.before = () => {
    throw new BmcError('unreachable', `Nothing answers IPMI at ${ADDRESS} port 623`);
  };
  const bmcs = new Map([[ADDRESS, bmc]]);
  const { consoles } = bmcParts({ directory: dir.path, clock: manualClock(), bmcs });
  await consoles.admit('m1', refAt(ADDRESS), false);
  const order = { targetUid: 'm1', by: 'ada', provider: PROVIDER };
  const asked = (controller?: ReturnType<typeof controllerAt>) =>
    t.throwsAsync(
      consoles.open(
        create(OpenChannelSchema, { ...order, ...(controller && { controller }) }),
        never,
      ),
    );
  const tenants = await asked();
  t.regex(tenants?.message ?? '', /Nothing answers IPMI at \(address\) port 623/);
  t.notRegex(tenants?.message ?? '', /bmc\.lab/);
  const operators = await asked(controllerAt(ADDRESS));
  t.regex(operators?.message ?? '', /r1u1-bmc\.lab/);
  await consoles.stop();
});
