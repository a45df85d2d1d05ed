/** Every wrong that the checker of claims is for, made by hand, and runs that only look wrong. */
import test, { type ExecutionContext } from 'ava';
import { checkClaims } from '../../support/claim-checker/check.ts';
import { type Evidence, type Rule, WHOLE } from '../../support/claim-checker/evidence.ts';
import type { Call, CallRequest, ShownClaim } from '../../support/claim-checker/history.ts';
import { readStored, type StoredClaim } from '../../support/claim-checker/stored.ts';

const CPU = 'runm.cpu.shared';
const FLEET = [
  {
    uid: 'p1',
    amounts: new Map([
      [1, new Map(Object.entries({ [CPU]: 4, [WHOLE]: 1 }))],
      [2, new Map(Object.entries({ [CPU]: 2, [WHOLE]: 1 }))],
    ]),
  },
  { uid: 'blade', rootUid: 'p1', amounts: new Map([[1, new Map([[CPU, 8]])]]) },
];
type Amounts = Readonly<Record<string, number>>;
type ClaimWish = Partial<Omit<StoredClaim, 'uid' | 'holds'>> & {
  readonly amounts?: Amounts;
  readonly providerUid?: string;
  readonly finishMs?: number;
};

const claim = (uid: string, wish: ClaimWish = {}): StoredClaim => {
  const { amounts = { [CPU]: 2 }, providerUid = 'p1', finishMs, ...rest } = wish;
  return {
    uid,
    project: 'red',
    claimId: uid,
    createMs: 10,
    updateMs: 10,
    acquireMs: 10,
    releaseMs: Infinity,
    releaseBeginMs: undefined,
    wasMoved: false,
    logNumber: 1,
    requests: [{ requestId: `create-${uid}`, verb: 'create' }],
    ...rest,
    holds: [{ providerUid, amounts: new Map(Object.entries(amounts)), finishMs }],
  };
};

const shown = (uid: string, amounts: Amounts = { [CPU]: 2 }, isActive = true): ShownClaim => ({
  uid,
  isActive,
  allocations: Object.entries(amounts).map(([resourceType, amount]) => {
    return { providerUid: 'p1', resourceType, amount };
  }),
});

const call = (request: CallRequest, rest: Partial<Call> = {}): Call => ({
  client: 'ada',
  requestId: `${request.verb}-${'claimUid' in request ? request.claimUid : ''}`,
  request,
  beganMs: 10,
  endedMs: 20,
  outcome: { kind: 'granted', claim: undefined },
  ...rest,
});

const created = (uid: string, rest: Partial<Call> = {}, made = shown(uid)): Call =>
  call(
    { verb: 'create', project: 'red', claimId: uid },
    { requestId: `create-${uid}`, outcome: { kind: 'granted', claim: made }, ...rest },
  );

const capacity = (closed: boolean, rest: Partial<Call> = {}, generation = 1): Call => {
  const amounts = new Map([[CPU, generation === 1 ? 4 : 2]]);
  const request = { verb: 'set-capacity', providerUid: 'p1', generation, amounts, closed } as const;
  return call(request, {
    beganMs: 0,
    endedMs: 5,
    requestId: `set-${generation}-${closed}`,
    ...rest,
  });
};

type Run = {
  readonly calls?: readonly Call[];
  readonly claims?: readonly StoredClaim[];
  readonly quotas?: Evidence['quotas'];
  readonly listed?: Evidence['listed'];
};

const evidence = ({ calls = [], claims = [], quotas, listed }: Run): Evidence => ({
  calls: [capacity(false), ...calls],
  stored: { claims, capacities: [], head: { number: 100, atMs: 1_000 } },
  fleet: FLEET,
  ...(quotas !== undefined && { quotas }),
  ...(listed !== undefined && { listed }),
});

const asked = (...claims: readonly StoredClaim[]): Run => ({
  calls: claims.map(({ uid }) => created(uid, { outcome: { kind: 'unknown' }, endedMs: Infinity })),
  claims,
});

const found = test.macro({
  exec: (t: ExecutionContext, expected: readonly Rule[], run: Run) =>
    t.deepEqual(
      checkClaims(evidence(run)).map(({ rule }) => rule),
      [...expected],
    ),
  title: (name) => name ?? '',
});

test('a run that is right has no violation', found, [], {
  calls: [created('a'), created('b')],
  claims: [claim('a'), claim('b')],
});

test('more than a provider has is overbooked', found, ['overbooked'], {
  ...asked(claim('a', { amounts: { [CPU]: 3 } }), claim('b', { createMs: 11, acquireMs: 11 })),
});
test('windows that touch do not overlap', found, [], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 100 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 11, acquireMs: 100 }),
  ),
});
test('a later window that begins one millisecond early is overbooked', found, ['overbooked'], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 100 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 11, acquireMs: 99 }),
  ),
});
test('what was given back before may be had again', found, [], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseBeginMs: 20, finishMs: 30 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 30, acquireMs: 30 }),
  ),
});
test('what is given back only later is overbooked', found, ['overbooked'], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseBeginMs: 20, finishMs: 30 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 29, acquireMs: 29 }),
  ),
});
test('a window that has ended frees nothing by itself', found, ['overbooked'], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 20 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 25, acquireMs: 25 }),
  ),
});
test('who booked behind a window that is overrun waits and is no double booking', found, [], {
  ...asked(
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 20, finishMs: 40 }),
    claim('b', { amounts: { [CPU]: 4 }, createMs: 12, acquireMs: 20 }),
  ),
});
test('the whole of a provider is shared with nobody', found, ['overbooked'], {
  ...asked(claim('a', { amounts: { [WHOLE]: 1 } }), claim('b', { createMs: 11, acquireMs: 11 })),
});
test('a slice below a whole provider is a double booking', found, ['overbooked'], {
  ...asked(
    claim('a', { amounts: { [WHOLE]: 1 } }),
    claim('b', { providerUid: 'blade', createMs: 11, acquireMs: 11 }),
  ),
});
test('what no provider has cannot be had', found, ['overbooked'], {
  ...asked(claim('a', { amounts: { 'runm.gpu.virtual': 1 } })),
});

const BOTH = { claims: [claim('a', { createMs: 1 }), claim('b'), claim('c', { createMs: 30 })] };
test(
  'what clients surely had at once is found though the store looks right',
  found,
  ['used-twice'],
  {
    calls: [created('a'), created('b'), created('c')],
    claims: BOTH.claims.map((one) => ({
      ...one,
      holds: one.holds.map((hold) => ({ ...hold, finishMs: one.createMs })),
      releaseBeginMs: one.createMs,
    })),
  },
);
test('a claim that was not shown active had nothing yet', found, [], {
  calls: [
    created('a', {}, shown('a', { [CPU]: 4 })),
    created('b', {}, shown('b', { [CPU]: 4 }, false)),
  ],
  claims: [
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 100 }),
    claim('b', { amounts: { [CPU]: 4 }, acquireMs: 100 }),
  ],
});
test('use above an acknowledged shrink is found', found, ['used-twice'], {
  calls: [
    created('a', {}, shown('a', { [CPU]: 4 })),
    capacity(false, { beganMs: 30, endedMs: 40 }, 2),
  ],
  claims: [claim('a', { amounts: { [CPU]: 4 } })],
});
test('a shrink whose outcome nobody knows takes nothing away', found, [], {
  calls: [
    created('a', {}, shown('a', { [CPU]: 4 })),
    capacity(false, { beganMs: 30, endedMs: Infinity, outcome: { kind: 'unknown' } }, 2),
  ],
  claims: [claim('a', { amounts: { [CPU]: 4 } })],
});

test('an acknowledged claim that the store does not have is lost', found, ['claim-lost'], {
  calls: [created('a')],
});
test('an acknowledged claim that has become smaller is lost', found, ['claim-lost'], {
  calls: [created('a')],
  claims: [claim('a', { amounts: { [CPU]: 1 } })],
});
test('an acknowledged claim that a leader does not know is lost', found, ['claim-lost'], {
  calls: [
    created('a'),
    call(
      { verb: 'begin-release', claimUid: 'a' },
      {
        beganMs: 21,
        outcome: { kind: 'refused', reason: 'NOT_FOUND', about: 'runm.claim', mayLinger: false },
      },
    ),
  ],
  claims: [claim('a')],
});
test('an acknowledged release that is undone is found', found, ['release-lost'], {
  calls: [created('a'), call({ verb: 'begin-release', claimUid: 'a' })],
  claims: [claim('a')],
});
test('an acknowledged return that is undone is found', found, ['release-lost'], {
  calls: [
    created('a'),
    call({ verb: 'finish-release', claimUid: 'a', providerUid: 'p1' }, { beganMs: 30 }),
  ],
  claims: [claim('a', { releaseBeginMs: 15 })],
});

test('one request that made two claims was applied twice', found, ['applied-twice'], {
  calls: [created('a')],
  claims: [
    claim('a'),
    claim('b', { requests: [{ requestId: 'create-a', verb: 'create' }], createMs: 11 }),
  ],
});
test('one request that was answered with two claims was applied twice', found, ['applied-twice'], {
  calls: [created('a'), created('b', { requestId: 'create-a' })],
  claims: [claim('a'), claim('b', { requests: [] })],
});
test('two living claims of one name are found', found, ['applied-twice'], {
  ...asked(claim('a', { claimId: 'web' }), claim('b', { claimId: 'WEB' })),
});
test('an ended claim leaves its name to the next', found, [], {
  ...asked(
    claim('a', { claimId: 'web', releaseBeginMs: 12, finishMs: 13 }),
    claim('b', { claimId: 'web', createMs: 20, acquireMs: 20 }),
  ),
});

test('a claim that nobody asked for is found', found, ['nobody-asked'], { claims: [claim('a')] });
const REFUSED = { kind: 'refused', reason: 'NO_CAPACITY', about: '' } as const;
test('a claim that was refused must not be there', found, ['nobody-asked'], {
  calls: [created('a', { outcome: { ...REFUSED, mayLinger: false } })],
  claims: [claim('a')],
});
test('a refused request of which a copy may linger can still be granted', found, [], {
  calls: [created('a', { outcome: { ...REFUSED, mayLinger: true } })],
  claims: [claim('a')],
});

const CLOSE = { beganMs: 6, endedMs: 9, requestId: 'close' };
test('a claim on a provider that was closed all the time is found', found, ['closed-provider'], {
  calls: [capacity(true, CLOSE), created('a')],
  claims: [claim('a')],
});
test('a provider that is opened meanwhile may be placed on', found, [], {
  calls: [
    capacity(true, CLOSE),
    capacity(false, { beganMs: 15, endedMs: 30, requestId: 'open again' }),
    created('a'),
  ],
  claims: [claim('a')],
});
test('a provider that is closed meanwhile may be placed on', found, [], {
  calls: [capacity(true, { ...CLOSE, endedMs: 11 }), created('a')],
  claims: [claim('a')],
});
test('a refused opening opens nothing', found, ['closed-provider'], {
  calls: [
    capacity(true, CLOSE),
    capacity(false, { beganMs: 10, endedMs: 11, outcome: { ...REFUSED, mayLinger: false } }),
    created('a'),
  ],
  claims: [claim('a')],
});

test('a record newer than the head is found', found, ['head-behind'], {
  ...asked(claim('a', { logNumber: 101 })),
});

test('a quota that shows less than the claims hold is inexact', found, ['quota-inexact'], {
  ...asked(claim('a'), claim('b')),
  quotas: [{ project: 'red', resourceType: CPU, used: 3, atMs: 500 }],
});
test('a quota gets back what is being released', found, [], {
  ...asked(claim('a'), claim('b', { releaseBeginMs: 20 })),
  quotas: [{ project: 'red', resourceType: CPU, used: 2, atMs: 500 }],
});

const LISTED = [{ replica: 'b', claims: [{ uid: 'a', isReleasing: false }] }];
test('a replica that does not show a stored claim is found', found, ['list-differs'], {
  ...asked(claim('a'), claim('b')),
  listed: LISTED,
});
test('a replica that does not show a release is found', found, ['list-differs'], {
  ...asked(claim('a', { releaseBeginMs: 20 })),
  listed: LISTED,
});
test('a replica that shows what is stored is right', found, [], {
  ...asked(claim('a')),
  listed: LISTED,
});

const LIMIT = call(
  { verb: 'set-quota', project: 'red', limits: new Map([[CPU, 3]]) },
  { beganMs: 0, endedMs: 5 },
);
test('claims above the quota of their project are found', found, ['quota-exceeded'], {
  calls: [LIMIT, created('a'), created('b')],
  claims: [claim('a'), claim('b', { createMs: 11, acquireMs: 11 })],
});
test('a quota limits the peak over the window, not the sum of all windows', found, [], {
  calls: [LIMIT, created('a'), created('b')],
  claims: [claim('a', { releaseMs: 50 }), claim('b', { createMs: 11, acquireMs: 50 })],
});
test('what is being released counts no more', found, [], {
  calls: [LIMIT, created('a'), created('b')],
  claims: [claim('a', { releaseBeginMs: 11 }), claim('b', { createMs: 12, acquireMs: 12 })],
});

const EXTEND = { verb: 'move-end', claimUid: 'a', fromReleaseMs: 100, releaseMs: 200 } as const;
test('an acknowledged extension that is undone is found', found, ['end-lost'], {
  calls: [created('a'), call(EXTEND, { beganMs: 30, endedMs: 40 })],
  claims: [claim('a', { releaseMs: 100 })],
});
test('a claim that was extended in time is not taken for overrun', found, [], {
  calls: [
    created('a', {}, shown('a', { [CPU]: 4 })),
    call({ ...EXTEND, releaseMs: 300 }, { beganMs: 30, endedMs: 40 }),
    created('b', { beganMs: 150, outcome: { kind: 'unknown' }, endedMs: Infinity }),
  ],
  claims: [
    claim('a', { amounts: { [CPU]: 4 }, releaseMs: 300 }),
    claim('b', { createMs: 150, acquireMs: 300 }),
  ],
});
test('an extension after which the end was moved again may be gone', found, [], {
  calls: [
    created('a'),
    call(EXTEND, { beganMs: 30, endedMs: 40 }),
    call(EXTEND, { requestId: 'again', beganMs: 41, outcome: { kind: 'unknown' }, endedMs: 90 }),
  ],
  claims: [claim('a', { releaseMs: 100 })],
});

test('records are read from the keys of a partition', (t) => {
  const keys = {
    'partitions/lab/head': { v: 1, number: 7, atMs: 9, nonce: 'n' },
    'partitions/lab/cap/p1': { v: 1, providerUid: 'p1', generation: 2, closed: true },
    'partitions/lab/claims/a': {
      ...{ v: 1, uid: 'a', project: 'red', claimId: 'web', createMs: 1, updateMs: 2, logNumber: 3 },
      spec: {
        acquireMs: 5,
        groups: [{ resources: [{ resourceType: CPU, amount: 2 }] }, { resources: [] }],
      },
      providers: [{ uid: 'p1', finishMs: 8 }, { uid: 'p2' }],
      placements: [
        { group: 0, index: 0, provider: 0 },
        { group: 0, index: 1, provider: 0 },
      ],
      requests: [{ requestId: 'r', verb: 'create', atMs: 1 }],
    },
    'partitions/lab/leader': {},
  };
  const meta = { createRevision: 1n, modRevision: 1n, version: 1n, leaseId: '' };
  const stored = readStored(
    Object.entries(keys).map(([key, value]) => {
      return { key, value: Buffer.from(JSON.stringify(value)), ...meta };
    }),
  );
  t.deepEqual(stored.head, { number: 7, atMs: 9 });
  t.deepEqual(stored.capacities, [{ providerUid: 'p1', generation: 2, closed: true }]);
  const [read] = stored.claims;
  t.like(read, { uid: 'a', acquireMs: 5, releaseMs: Infinity, releaseBeginMs: undefined });
  t.deepEqual(read?.holds, [
    { providerUid: 'p1', amounts: new Map([[CPU, 4]]), finishMs: 8 },
    { providerUid: 'p2', amounts: new Map(), finishMs: undefined },
  ]);
  t.throws(() => readStored([{ key: 'partitions/lab/head', value: Buffer.from('{}'), ...meta }]), {
    message: /no number "number"/,
  });
});
