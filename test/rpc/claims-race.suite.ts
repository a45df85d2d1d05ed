/** Two projects want the last machine at the same moment, again and again. */
import type { Transport } from '@connectrpc/connect';
import type { TestFn } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { newProvider, type SimulatedProvider, toldOf } from '../simulation/claims/fleet.ts';
import { createClaimCaller } from '../support/claim-caller.ts';
import { checkClaims, describeViolation } from '../support/claim-checker/check.ts';
import { type Call, createHistory } from '../support/claim-checker/history.ts';
import { readStored } from '../support/claim-checker/stored.ts';
import type { GuardedTransports } from '../support/guarded-transports.ts';
import { openProvider, startScheduler } from './scheduler-fixture.ts';
import { WHOLE } from './scheduler-neighbours.ts';

const RACES = 1_000;
const PROJECTS = ['red', 'blue'] as const;

/** The coordination of the test; absent = the embedded one. */
export type Store = { readonly coordination?: Coordination };

export const claimsRaceSuite = (test: TestFn, open: () => Store): void => {
  test(`of two projects exactly one gets the last machine, ${RACES} times`, async (t) => {
    t.timeout(240_000);
    const fixture = await startScheduler(t, { replicas: 2, ...open() });
    const { nodes, node, neighbours } = fixture;
    const machine = newProvider(1, 4);
    const told = toldOf(machine, 1);
    neighbours.tell(told);
    await openProvider(node, told);
    const history = createHistory();
    history.add(openingOf(machine));
    const caller = (name: string, wayTo: (ways: GuardedTransports) => Transport) =>
      createClaimCaller({
        name,
        // Either replica: half of the requests are relayed to the leader.
        ways: () => nodes.map(({ ways }) => wayTo(ways)),
        history,
        clock: systemClock,
        random: systemRandom,
        attemptMs: 20_000,
        patienceMs: 60_000,
      });
    const callers = PROJECTS.map((project) => ({
      project,
      caller: caller(project, (ways) => ways.asPerson(project)),
    }));
    const asMachine = caller('machine', (ways) => ways.asService('machine'));
    const wins = new Map<string, number>();
    for (let race = 0; race < RACES; race += 1) {
      const inOrder = systemRandom.fraction() < 0.5 ? callers : callers.toReversed();
      const claims = await Promise.all(
        inOrder.map((one) => one.caller.create({ ...one, claimId: `race-${race}`, groups: ALL })),
      );
      const winners = inOrder.filter((_, at) => claims[at] !== undefined);
      const claim = claims.find((one) => one !== undefined);
      t.is(winners.length, 1, `race ${race}`);
      if (claim === undefined) return;
      for (const { project } of winners) wins.set(project, (wins.get(project) ?? 0) + 1);
      await asMachine.beginRelease(claim);
      await asMachine.finishRelease(claim, machine.uid);
    }
    t.log(wins);
    for (const project of PROJECTS) t.true((wins.get(project) ?? 0) > RACES / 10, project);
    const reasons = history.calls.flatMap(({ outcome }) =>
      outcome.kind === 'refused' ? [outcome.reason] : [],
    );
    t.deepEqual(
      reasons,
      Array.from({ length: RACES }, () => 'NO_CAPACITY'),
    );
    const prefix = 'partitions/lab/';
    const range = { prefix, limit: 10_000 };
    const { keys } = await fixture.coordination.range(range, AbortSignal.timeout(60_000));
    const { calls } = history;
    const violations = checkClaims({ calls, stored: readStored(keys), fleet: [machine] });
    t.deepEqual(violations.map(describeViolation), []);
  });
};

const ALL = [{ resources: [{ resourceType: WHOLE, amount: 1n }] }];

/** What the fixture did before anybody called. */
const openingOf = ({ uid, amounts }: SimulatedProvider): Call => ({
  client: 'fixture',
  requestId: 'opening',
  request: {
    verb: 'set-capacity',
    providerUid: uid,
    generation: 1,
    amounts: amounts.get(1) ?? new Map(),
    closed: false,
  },
  beganMs: 0,
  endedMs: 0,
  outcome: { kind: 'granted', claim: undefined },
});
