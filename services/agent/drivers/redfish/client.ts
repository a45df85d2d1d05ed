import type { Clock } from '../../../runtime/clock.ts';
import { BmcError } from '../../bmc-port.ts';
import type { Answer, Call } from './exchange.ts';
import { AnsweredError, failureOf } from './messages.ts';
import { asResource, isWhole, linkAt, listAt, type Resource, textAt } from './resource.ts';
import type { Session } from './session.ts';
import { finished } from './task.ts';

/** Resources by the links that the service names; a failed call throws what the service said. */
export type RedfishClient = {
  readonly get: (link: string, signal: AbortSignal) => Promise<Resource>;
  /** Undefined where there is no such resource (any more). */
  readonly find: (link: string, signal: AbortSignal) => Promise<Resource | undefined>;
  /** Members of a collection: whole where the service expands them in one call, else links. */
  readonly list: (link: string, signal: AbortSignal) => Promise<readonly Resource[]>;
  /** All members of a collection, whole, in as few calls as the service offers. */
  readonly members: (link: string, signal: AbortSignal) => Promise<readonly Resource[]>;
  /**
   * As members; none where there is no link or nothing behind it, which is a common gap and no
   * reason to know nothing; nor is one that the service fails at (500). What `keep` does not want
   * is not read.
   */
  readonly parts: (
    link: string,
    signal: AbortSignal,
    keep?: (member: Resource) => boolean,
  ) => Promise<readonly Resource[]>;
  /** As find; nothing as well where the service fails at it (500). */
  readonly part: (link: string, signal: AbortSignal) => Promise<Resource | undefined>;
  /** Answers when the work is over, also where it is a task. */
  readonly post: (link: string, body: Resource, signal: AbortSignal) => Promise<Answer>;
  /** `resource` as it was read: its ETag goes with the change. */
  readonly patch: (resource: Resource, body: Resource, signal: AbortSignal) => Promise<void>;
  /** As patch, of what takes effect later: a task that waits for a boot is not waited for. */
  readonly stage: (resource: Resource, body: Resource, signal: AbortSignal) => Promise<void>;
  readonly remove: (link: string, signal: AbortSignal) => Promise<void>;
  /** As it comes back, also where it failed. */
  readonly send: (call: Call, signal: AbortSignal) => Promise<Answer>;
};

export type ClientDeps = {
  readonly clock: Clock;
  readonly session: Session;
  /** Whether the service root offers `$expand` without links (DSP0266, query parameters). */
  readonly canExpand: () => boolean;
};

const PAGES_MAX = 100;
const MEMBERS_MAX = 5_000;
/** Where the ETag as it was read is kept, beside what the service sent. */
const ETAG = '@runmachine.etag';

export const createClient = (deps: ClientDeps): RedfishClient => {
  const { session, clock } = deps;
  const send = session.send;
  const settle = (call: Call, answer: Answer, signal: AbortSignal): Promise<Answer> => {
    if (answer.status >= 400) throw failed(call, answer);
    return finished({ clock, send }, { call, answer }, signal);
  };
  const taken = async (call: Call, answer: Answer): Promise<Answer> => {
    if (answer.status >= 400) throw failed(call, answer);
    return answer;
  };
  const waited = async (call: Call, signal: AbortSignal): Promise<Answer> =>
    settle(call, await send(call, signal), signal);
  const get = async (link: string, signal: AbortSignal): Promise<Resource> => {
    const call: Call = { method: 'GET', link };
    const answer = await send(call, signal);
    if (answer.status >= 400) throw failed(call, answer);
    return resourceOf(call, answer);
  };
  const find = (link: string, signal: AbortSignal) => foundOrNot(get(link, signal));
  const part = (link: string, signal: AbortSignal) => foundOrNot(get(link, signal), isGap);
  const list = createList({ get, canExpand: deps.canExpand });
  const members = createMembers({ list, find });
  const parts = createMembers({ list, find: part });
  return {
    get,
    find,
    list,
    members,
    part,
    parts: async (link, signal, keep) =>
      link === '' ? [] : ((await foundOrNot(parts(link, signal, keep), isGap)) ?? []),
    post: (link, body, signal) => waited({ method: 'POST', link, body }, signal),
    patch: createPatch({ get, send, settle }),
    stage: createPatch({ get, send, settle: taken }),
    remove: async (link, signal) => {
      await waited({ method: 'DELETE', link }, signal);
    },
    send,
  };
};

const failed = (call: Call, { status, body, headers }: Answer): BmcError =>
  failureOf({ ...call, status, body, retryAfter: headers['retry-after'] ?? '' });

const resourceOf = (call: Call, { body, headers }: Answer): Resource => {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BmcError('protocol', `GET ${call.link} was answered without a JSON object`);
  }
  const etag = headers.etag || textAt(body, '@odata.etag');
  return etag === '' ? asResource(body) : { ...body, [ETAG]: etag };
};

const isMissing = (error: unknown): boolean =>
  error instanceof BmcError && error.fault === 'unsupported';

/** Firmware links to what it cannot show (iDRAC, AMI), and says 500 instead of 404 or 501. */
const isGap = (error: unknown): boolean =>
  isMissing(error) || (error instanceof AnsweredError && error.status === 500);

const foundOrNot = async <T>(reading: Promise<T>, isNot = isMissing): Promise<T | undefined> => {
  try {
    return await reading;
  } catch (error) {
    if (isNot(error)) return undefined;
    throw error;
  }
};

type ListDeps = Pick<RedfishClient, 'get'> & Pick<ClientDeps, 'canExpand'>;

const createList = (deps: ListDeps): RedfishClient['list'] => {
  // What is advertised and fails once is not tried again in this session.
  let expandFailed = false;
  const firstPage = async (link: string, signal: AbortSignal): Promise<Resource> => {
    if (!deps.canExpand() || expandFailed || link.includes('?')) return deps.get(link, signal);
    try {
      return await deps.get(`${link}?$expand=.($levels=1)`, signal);
    } catch (error) {
      // Busy, too: one member that cannot be read just now is no reason not to list the others.
      // Protocol: what is expanded may be longer than any answer is read.
      const isRefusal = error instanceof BmcError && CANNOT_EXPAND.test(error.fault);
      if (!isRefusal) throw error;
      expandFailed = true;
      return deps.get(link, signal);
    }
  };
  return async (link, signal) => {
    const found: Resource[] = [];
    const seen = new Set<string>();
    let page = await firstPage(link, signal);
    for (let count = 1; ; count += 1) {
      found.push(...listAt(page, 'Members').map(asResource));
      const next = linkAt(page, 'Members@odata.nextLink') || linkAt(page, '@odata.nextLink');
      if (next === '' || seen.has(next)) return found;
      if (count >= PAGES_MAX || found.length >= MEMBERS_MAX) {
        throw new BmcError('protocol', `Collection ${link} has no end after ${count} pages`);
      }
      seen.add(next);
      page = await deps.get(next, signal);
    }
  };
};

const CANNOT_EXPAND = /^(?:refused|unsupported|busy|protocol)$/;

const createMembers =
  ({ list, find }: Pick<RedfishClient, 'list' | 'find'>): RedfishClient['parts'] =>
  async (link, signal, keep = () => true) => {
    const found: Resource[] = [];
    for (const member of (await list(link, signal)).filter(keep)) {
      const path = textAt(member, '@odata.id');
      const isKnown = isWhole(member) || path === '';
      const whole = isKnown ? member : await find(path, signal);
      if (whole !== undefined && isWhole(whole)) found.push(whole);
    }
    return found;
  };

type PatchDeps = Pick<RedfishClient, 'get' | 'send'> & {
  readonly settle: (call: Call, answer: Answer, signal: AbortSignal) => Promise<Answer>;
};

/** 412: somebody changed it in between. 428: it wants to be told what is changed (RFC 6585). */
const STALE = new Set([412, 428]);

const createPatch =
  ({ get, send, settle }: PatchDeps): RedfishClient['patch'] =>
  async (resource, body, signal) => {
    const link = textAt(resource, '@odata.id');
    if (link === '') throw new BmcError('protocol', 'A resource to be changed has no @odata.id');
    const callWith = (etag: string): Call => {
      const headers: Record<string, string> = etag === '' ? {} : { 'if-match': etag };
      return { method: 'PATCH', link, body, headers };
    };
    const first = etagOf(resource);
    const call = callWith(first);
    const answer = await send(call, signal);
    if (!STALE.has(answer.status)) {
      await settle(call, answer, signal);
      return;
    }
    let last = { call, answer };
    for (const tag of nextTags(first, etagOf(await get(link, signal)))) {
      const again = callWith(tag);
      last = { call: again, answer: await send(again, signal) };
      if (!STALE.has(last.answer.status)) break;
    }
    await settle(last.call, last.answer, signal);
  };

/**
 * What is tried instead of a tag that was refused. Where nobody changed the resource, the tag is
 * right and the controller wrong: some make weak tags (RFC 9110 §8.8.1) and compare them as strong
 * ones, others take none of their own.
 */
const nextTags = (refused: string, now: string): readonly string[] => {
  if (now === '') return ['*'];
  if (now !== refused) return [now];
  return now.startsWith('W/') ? [now.slice(2), '*'] : ['*'];
};

const etagOf = (resource: Resource): string =>
  textAt(resource, ETAG) || textAt(resource, '@odata.etag');
