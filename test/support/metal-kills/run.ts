/**
 * Days of servers with a kill in each verb. What a day is to come to is checked after every verb,
 * so a wrong end names the verb, the step and the victim.
 */
import assert from 'node:assert/strict';
import { eventually } from '../eventually.ts';
import { ask, type Day, forget, look, VERBS, type Verb } from './day.ts';
import { isPassing } from './patience.ts';
import type { Site } from './site.ts';
import type { VictimName } from './victim.ts';
import { type ClaimWatch, type StepWatch, unfinished } from './watch.ts';

export type Kill = {
  readonly verb: Verb;
  readonly step: string;
  readonly victim: VictimName;
  /** After the step was seen on record. */
  readonly afterMs: number;
  readonly downMs: number;
};

export type Parts = {
  readonly site: Site;
  readonly steps: StepWatch;
  readonly claims: ClaimWatch;
  readonly say: (line: string) => void;
};

/** The steps of each verb, in the order in which they were seen. */
export type Seen = ReadonlyMap<Verb, readonly string[]>;

/** The request is on its way; nothing of it is on record. */
export const ASKED = 'asked';

const VERB_LIMIT_MS = 300_000;
const LOOK_MS = 50;

/** `calm`: the steps of an unharmed day; a step that is not seen is taken for past at the next. */
export const runDay = async (
  parts: Parts,
  day: Day,
  { kills, calm }: { readonly kills: readonly Kill[]; readonly calm?: Seen },
): Promise<Seen> => {
  const seen = new Map<Verb, string[]>();
  const before = new Set<string>();
  for (const verb of VERBS) {
    const heard: string[] = [ASKED];
    seen.set(verb, heard);
    const kill = kills.find((one) => one.verb === verb);
    const hunt = hunter(parts, kill, calm?.get(verb) ?? []);
    const wipes = parts.site.wipes(day.server.name);
    hunt.see(ASKED);
    const end = parts.steps.follow(
      () => day,
      (step) => {
        if (before.has(step)) return;
        before.add(step);
        heard.push(step);
        checkOrder(parts, day, { verb, step, wipes });
        hunt.see(step);
      },
    );
    try {
      await ask(parts.site, day, verb);
      await untilDone(parts, day, verb);
      await hunt.over();
      await untilDone(parts, day, verb);
    } catch (cause) {
      const what = kill === undefined ? 'nobody' : `${kill.victim} at "${kill.step}"`;
      parts.say(parts.site.journal.notes(day.machineId));
      throw new Error(`${day.machineId}: ${verb}, with ${what} killed: ${String(cause)}`, {
        cause,
      });
    } finally {
      end();
    }
    await checkEnd(parts, day, { verb, wipes });
  }
  await forget(parts.site, day);
  return seen;
};

type Hunt = {
  readonly see: (step: string) => void;
  /** Resolves when who was killed is there again. */
  readonly over: () => Promise<void>;
};

const hunter = ({ site, say }: Parts, kill: Kill | undefined, calm: readonly string[]): Hunt => {
  if (kill === undefined) return { see: () => undefined, over: async () => undefined };
  const at = calm.indexOf(kill.step);
  let struck: Promise<void> | undefined;
  const strike = async (step: string): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, kill.afterMs));
    say(`kill -9 of the ${kill.victim} at "${step}"`);
    await site.strike(kill.victim, kill.downMs);
  };
  return {
    see: (step) => {
      if (struck === undefined && calm.indexOf(step) >= at) {
        struck = strike(step);
        // Told by over().
        struck.catch(() => undefined);
      }
    },
    over: async () => {
      if (struck === undefined) say(`nobody was killed: "${kill.step}" was not seen`);
      await struck;
    },
  };
};

/** Takes the exit that a visible problem asks for, at most three times. */
const untilDone = async ({ site, say }: Parts, day: Day, verb: Verb): Promise<void> => {
  const endMs = performance.now() + VERB_LIMIT_MS;
  let exits = 0;
  for (let where = 'nothing was seen'; ; ) {
    assert.deepEqual(site.fallen(), []);
    if (performance.now() > endMs) throw new Error(`it does not end: ${where}`);
    const seen = await look(site, day, verb).catch((error: unknown) => {
      if (isPassing(error)) return undefined;
      throw error;
    });
    if (seen?.kind === 'done') return;
    if (seen !== undefined) where = seen.where;
    if (seen?.kind === 'stuck') {
      exits += 1;
      assert.ok((seen.problem?.message ?? '').length > 5, `no problem says why: ${where}`);
      assert.ok(exits <= 3, `the exit leads nowhere: ${where}`);
      say(`${day.machineId}: ${where}; an operator takes the exit`);
      await takeExit(seen.exit);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
};

const takeExit = async (exit: () => Promise<unknown>): Promise<void> => {
  await exit().catch((error: unknown) => {
    // The control plane may die here too; the next look tells whether it is still needed.
    if (!isPassing(error)) throw error;
  });
};

type Checked = { readonly verb: Verb; readonly wipes: number };

/** Steps that must not be on record before the lab wiped the disks. */
const AFTER_WIPING = new Set(['task clean finish', 'task clean done', 'event provider.cleaned']);

const checkOrder = (
  { site, claims }: Parts,
  { server, machineId }: Day,
  { verb, step, wipes }: Checked & { readonly step: string },
): void => {
  if (verb !== 'delete' || !AFTER_WIPING.has(step)) return;
  const now = [site.wipes(server.name) > wipes, site.power(server.name)];
  if (now[0] !== true || now[1] !== 'off') {
    claims.wrongs.push(`${machineId} is at "${step}" and is not clean and off: ${now.join(', ')}`);
  }
};

const POWER = { enrol: 'off', create: 'on', stop: 'off', start: 'on', delete: 'off' } as const;

const checkEnd = async (
  { site, claims }: Parts,
  day: Day,
  { verb, wipes }: Checked,
): Promise<void> => {
  const { server, machineId, providerUid } = day;
  const at = `${machineId} after ${verb}`;
  assert.deepEqual(claims.wrongs, [], at);
  assert.deepEqual(site.leaks(), [], at);
  assert.equal(site.power(server.name), POWER[verb], `${at}: its power`);
  const isHeld = verb !== 'enrol' && verb !== 'delete';
  assert.equal(site.journal.living(machineId), isHeld ? 1 : 0, `${at}: living machines`);
  const held = await eventually(() => claims.ofProvider(providerUid), {
    limitMs: 300_000,
    message: `${at}: its claims`,
  });
  assert.equal(held.length, verb === 'enrol' ? 0 : 1, `${at}: claims that ever were`);
  assert.equal(unfinished(held, providerUid).length, isHeld ? 1 : 0, `${at}: claims that hold it`);
  const isWiped = site.wipes(server.name) > wipes;
  assert.equal(isWiped, verb === 'delete', `${at}: its disks were wiped`);
};
