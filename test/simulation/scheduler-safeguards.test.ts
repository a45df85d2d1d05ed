/**
 * What the fence, the comparison of the head and the nonce are there for: three stories in which
 * one of them saves the claims. Left out, the checker has to notice; in place, all is well.
 */
import test, { type ExecutionContext } from 'ava';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { CPU } from '../rpc/scheduler-neighbours.ts';
import type { Rule } from '../support/claim-checker/evidence.ts';
import type { Fate } from '../support/lossy-coordination.ts';
import { isCommit } from './claims/gate.ts';
import { groupOf, presentOf } from './claims/people.ts';
import type { SimulatedReplica } from './claims/replica.ts';
import type { Safeguard } from './claims/sabotage.ts';
import { createWorld, type World } from './claims/world.ts';

type Story = (t: ExecutionContext, stage: Stage) => Promise<void>;
type Stage = World & {
  /** The next commit meets this. */
  readonly strike: (fate: Fate) => void;
  readonly result: <T>(work: Promise<T>) => Promise<T>;
};

const SEED = 1;

const told = test.macro({
  exec: async (
    t: ExecutionContext,
    { story, broken, rule }: { story: Story; broken: Safeguard; rule: Rule },
  ) => {
    t.log(`seed ${SEED}`);
    for (const missing of [undefined, broken]) {
      const fates: Fate[] = [];
      const world = await createWorld({
        seed: SEED,
        broken: missing,
        isCalm: () => true,
        fateOf: (keys) => (isCommit(keys) ? (fates.shift() ?? 'delivered') : 'delivered'),
      });
      const stage: Stage = {
        ...world,
        strike: (fate) => void fates.push(fate),
        result: async (work) => {
          t.true(await world.settle(work), 'it ended');
          return work;
        },
      };
      const [first] = world.fleet;
      if (first === undefined) return t.fail();
      const open = { ...presentOf(first), closed: false };
      t.true(await stage.result(world.caller('operator').setCapacity(open)));
      await story(t, stage);
      const rules = new Set((await world.judge()).violations.map((one) => one.rule));
      if (missing === undefined) t.deepEqual([...rules], []);
      else t.true(rules.has(rule), `without the ${missing}: ${[...rules].join(', ')}`);
      await world.stop();
    }
  },
  title: (name = '') => name,
});

const one = (claimId: string) => ({
  project: 'red',
  claimId,
  groups: [groupOf(CPU, 1)],
});

/** The leader stands still with a claim decided and not written, until another one leads. */
const betweenTwoLeaders = async (
  t: ExecutionContext,
  { site, clock, settle, caller }: Stage,
): Promise<{ former: SimulatedReplica; next: string; promised: Promise<Claim | undefined> }> => {
  const address = await site.leader();
  const former = site.replicas().find((replica) => replica.address === address);
  const way = site.ways.get(address ?? '');
  if (former === undefined || way === undefined) throw new Error('Nobody leads');
  former.gate.closeAtCommit();
  const promised = caller('early', [way]).create(one('early'));
  let next: string | undefined;
  const isReplaced = async () => {
    for (;;) {
      next = await site.leader();
      if (next !== undefined && next !== address) return;
      await clock.sleep(50);
    }
  };
  t.true(await settle(isReplaced()));
  // Long enough for it to have read the claims, too short for the caller to give up.
  await clock.advance(100);
  t.false(former.gate.isOpen());
  return { former, next: next ?? '', promised };
};

const formerLeaderWrites: Story = async (t, stage) => {
  const { former, next, promised } = await betweenTwoLeaders(t, stage);
  former.gate.open();
  const claim = await stage.result(promised);
  if (claim === undefined) return t.fail('the claim was not made');
  const way = stage.site.ways.get(next);
  if (way === undefined) return t.fail();
  await stage.result(stage.caller('early', [way]).beginRelease(claim));
};

const formerLeaderIsRefused: Story = async (t, stage) => {
  const { former, next, promised } = await betweenTwoLeaders(t, stage);
  const way = stage.site.ways.get(next);
  if (way === undefined) return t.fail();
  t.not(await stage.result(stage.caller('other', [way]).create(one('other'))), undefined);
  former.gate.open();
  await stage.result(promised);
};

const copyComesLate: Story = async (t, stage) => {
  const caller = stage.caller('early');
  stage.strike('doubled');
  const claim = await stage.result(caller.create(one('early')));
  if (claim === undefined) return t.fail('the claim was not made');
  await stage.result(caller.beginRelease(claim));
  for (const replica of stage.site.replicas()) await stage.result(replica.releaseLate());
  await stage.clock.advance(1_000);
};

test('without the fence a former leader writes what the next one does not know', told, {
  story: formerLeaderWrites,
  broken: 'fence',
  rule: 'claim-lost',
});
test('without the nonce a former leader takes the commit of the next for its own', told, {
  story: formerLeaderIsRefused,
  broken: 'nonce',
  rule: 'claim-lost',
});
test('without the head a copy that comes late undoes what was written since', told, {
  story: copyComesLate,
  broken: 'head',
  rule: 'release-lost',
});
