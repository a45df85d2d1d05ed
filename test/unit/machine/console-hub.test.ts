/** While an operator has a console open its server stays with its agent, and not for longer. */
import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { ControllerSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { AgentSession, Down } from '../../../services/machine/agent-port.ts';
import { createConsoleHub } from '../../../services/machine/work/console-hub.ts';
import type { Lent } from '../../../services/machine/work/order-hub.ts';
import { createOutbox } from '../../../services/machine/work/outbox.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { manualClock } from '../../support/manual-clock.ts';

const AGENT = 'partitions/lab/agents/b1';
const AGENT_UID = '0198a000-0000-7000-8000-0000000000bb';
const MINUTE_MS = 60_000;
const IDLE = new AbortController().signal;

/** An agent that opens what it is told to, or says that it cannot. */
const openWorld = ({ canOpen = true } = {}) => {
  const clock = manualClock();
  const lent = new Map<string, number>();
  let isDead = false;
  const loans = {
    lend: async (_: AgentSession, { commandId, forMs }: Lent) => {
      if (!isDead) lent.set(commandId, clock.monotonicMs() + forMs);
    },
    takeBack: async (commandId: string) => {
      if (!isDead) lent.delete(commandId);
    },
  };
  const hub = createConsoleHub({ clock, random: systemRandom, loans });
  const push = (message: Down): boolean => {
    if (message.kind !== 'open-channel') return true;
    const channel = hub.accept(AGENT_UID, message.channelId);
    const closed = { kind: 'closed', why: 'the controller refuses it' } as const;
    void channel?.put(canOpen ? { kind: 'opened', readOnly: false, truncated: false } : closed);
    return true;
  };
  const session: AgentSession = {
    ...{ agentUid: AGENT_UID, name: AGENT, agentKey: AGENT, partition: 'lab', epoch: 1 },
    ...{ storedSequence: 0, lastHeardMs: 0, quietBeats: 0, isSynced: true, isClosed: false },
    ...{ consoles: new Set(), reports: [], onRoom: undefined, failure: undefined },
    outbox: { ...createOutbox<Down>(1), push },
  };
  const controller = create(ControllerSchema, { secret: 'projects/infra/secrets/bmc' });
  const order = {
    targetUid: '0198a000-0000-7000-8000-0000000000aa',
    ...{ readOnly: false, replayBytes: 0, logOnly: false, by: 'users/ops' },
    site: { controller, provider: 'partitions/lab/providers/r1u1' },
  };
  return {
    clock,
    session,
    open: () => hub.open(session, order, IDLE),
    isHeld: () => [...lent.values()].some((untilMs) => untilMs > clock.monotonicMs()),
    die: () => {
      isDead = true;
    },
  };
};

test('an open console holds its server for as long as it is open, and lets go at once', async (t) => {
  const { clock, open, isHeld } = openWorld();
  const opened = await open();
  for (let minutes = 0; minutes < 30; minutes += 1) {
    t.true(isHeld());
    await clock.advance(MINUTE_MS);
  }
  t.true(isHeld());
  opened.close();
  await clock.advance(0);
  t.false(isHeld());
  await clock.advance(MINUTE_MS);
  t.false(isHeld());
});

test('a console whose agent is lost lets go at once', async (t) => {
  const { clock, session, open, isHeld } = openWorld();
  await open();
  for (const end of session.consoles) end();
  await clock.advance(0);
  t.false(isHeld());
});

test('a console that could not be opened holds nothing', async (t) => {
  const { clock, open, isHeld } = openWorld({ canOpen: false });
  await t.throwsAsync(open, { message: /the controller refuses it/ });
  await clock.advance(0);
  t.false(isHeld());
});

test('what a replica that died had open is let go a minute later', async (t) => {
  const { clock, open, isHeld, die } = openWorld();
  await open();
  await clock.advance(10 * MINUTE_MS);
  die();
  t.true(isHeld());
  await clock.advance(MINUTE_MS);
  t.false(isHeld());
});
