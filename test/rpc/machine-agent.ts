/** An agent that speaks the real protocol and whose guests are numbers. */
import { randomUUID } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import {
  AgentService,
  ChannelRequestSchema,
  type Command,
  type OpenChannel,
  SessionRequestSchema,
  type Welcome,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import {
  type Assignment,
  type Server,
  type VirtualMachine,
  WantedPower,
} from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { BmcOrder } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import { PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { type FakeControllers, type FakeResult, refused } from './machine-controllers.ts';

type SessionInit = MessageInitShape<typeof SessionRequestSchema>;
type Content = NonNullable<SessionInit['content']>;

type Guest = {
  assignment: Assignment;
  power: PowerState;
  bootGeneration: bigint;
  bootCount: number;
  bootId: string;
  guestOff: boolean;
};

export type FakeAgent = {
  readonly instanceId: string;
  /** Dials; resolves with Welcome. */
  readonly dial: (transport: Transport) => Promise<Welcome>;
  /** Ends the session from this side. */
  readonly hangUp: () => void;
  readonly isConnected: () => boolean;
  /** Resolves when the session has ended, with its error if there was one. */
  readonly ended: () => Promise<unknown>;
  readonly guests: Map<string, Guest>;
  /** The newest word on each server. */
  readonly servers: Map<string, Server>;
  /** Uids of servers that another agent has now. */
  readonly moved: string[];
  /** Orders at controllers, in the order in which they came. */
  readonly orders: BmcOrder[];
  /** Consoles that were asked for. */
  readonly channels: OpenChannel[];
  readonly behaviour: {
    /** Guests get ready. */
    boots: boolean;
    /** Guests obey when they are asked to power off. */
    obeys: boolean;
    /** Reports are sent. */
    speaks: boolean;
    problem: { reason: string; message: string } | undefined;
  };
  /** The guest powers itself off. */
  readonly powerOffByGuest: (uid: string) => void;
  readonly send: (content: Content, isStored?: boolean) => void;
  /** Reports what it sees of it. */
  readonly tell: (uid: string) => void;
  readonly acknowledged: () => number;
  /** How many acknowledgements came. */
  readonly acknowledgements: () => number;
  readonly sequence: () => number;
  readonly synced: () => number;
  /** Uids that it was told nobody wants, when all was told last. */
  readonly orphans: () => readonly string[];
  readonly welcome: () => Welcome | undefined;
  readonly goodbye: () => string;
  /** Bytes of a file by its digest. */
  readonly fetch: (transport: Transport, sha256: string, offset?: number) => Promise<Buffer>;
  /** What was typed at consoles. */
  readonly typed: string[];
  forget: () => void;
};

export type FakeAgentOptions = {
  readonly journalId?: string;
  /** Absent = vm. */
  readonly roles?: readonly string[];
  /** What it does at controllers; absent: it refuses all orders. */
  readonly bmc?: FakeControllers;
};

export const createFakeAgent = (options: FakeAgentOptions = {}): FakeAgent => {
  const guests = new Map<string, Guest>();
  const behaviour: FakeAgent['behaviour'] = {
    boots: true,
    obeys: true,
    speaks: true,
    problem: undefined,
  };
  const typed: string[] = [];
  const servers = new Map<string, Server>();
  const moved: string[] = [];
  const orders: BmcOrder[] = [];
  const channels: OpenChannel[] = [];
  const done = new Map<string, Promise<FakeResult>>();
  let journalId = options.journalId ?? randomUUID();
  let journal: { sequence: number; content: Content }[] = [];
  let sequence = 0;
  let acknowledged = 0;
  let acknowledgements = 0;
  let synced = 0;
  let orphans: readonly string[] = [];
  let goodbye = '';
  let queue: SessionInit[] = [];
  let ring = Promise.withResolvers<void>();
  let over = new AbortController();
  let ended: Promise<unknown> = Promise.resolve();
  let connected = false;
  let welcomed: Welcome | undefined;
  const instanceId = randomUUID();
  const push = (message: SessionInit) => {
    queue.push(message);
    ring.resolve();
  };
  const send = (content: Content, isStored = true) => {
    if (!isStored) return push({ content });
    sequence += 1;
    journal.push({ sequence, content });
    if (connected) push({ sequence: BigInt(sequence), content });
  };
  const tell = (uid: string, gone = false) => {
    const guest = guests.get(uid);
    if (guest === undefined || !behaviour.speaks) return;
    send({ case: 'observation', value: observation(uid, guest, { gone, behaviour }) });
  };
  const said = (uid: string, type: string) =>
    send({
      case: 'event',
      value: { time: timestampNow(), type, targetUid: uid, message: `it says ${type}` },
    });
  const apply = (assignment: Assignment) => {
    const { uid, content } = assignment;
    const guest = guests.get(uid) ?? newGuest(assignment);
    guests.set(uid, guest);
    guest.assignment = assignment;
    if (content.case === 'absent') {
      guest.power = PowerState.OFF;
      tell(uid, true);
    } else if (content.case === 'virtualMachine') {
      follow(guest, content.value, { uid, said, behaviour });
      tell(uid);
    } else if (content.case === 'server') {
      servers.set(uid, content.value);
      follow(guest, content.value, { uid, said, behaviour });
      tell(uid);
    } else if (content.case === 'moved') {
      guests.delete(uid);
      moved.push(uid);
    }
  };
  const obey = async (id: string, order: BmcOrder, transport: Transport): Promise<void> => {
    orders.push(order);
    const result = done.get(id) ?? options.bmc?.obey(order, { id, transport });
    done.set(id, result ?? Promise.resolve(refused));
    send({ case: 'commandResult', value: { id, ...(await done.get(id)) } });
  };
  const command = (transport: Transport, { id, order }: Command) => {
    if (order.case === 'bmc') obey(id, order.value, transport).catch(() => undefined);
    if (order.case !== 'openChannel') return;
    channels.push(order.value);
    const { channelId, logOnly, readOnly, replayBytes } = order.value;
    serve(transport, {
      channelId,
      logOnly,
      readOnly,
      replayBytes,
      typed,
      signal: over.signal,
    }).catch(() => undefined);
    send({ case: 'commandResult', value: { id, succeeded: true } });
  };
  async function* outgoing() {
    yield create(SessionRequestSchema, {
      content: {
        case: 'hello',
        value: {
          instanceId,
          journalId,
          version: '0.1.0',
          roles: [...(options.roles ?? ['vm'])],
          held: [...guests].map(([uid, { assignment }]) => ({
            uid,
            incarnation: assignment.incarnation,
            generation: assignment.generation,
            digest: assignment.digest,
          })),
          host: { hostname: 'host-1', architecture: 'x86_64', cpuThreads: 4, accelerator: 'kvm' },
          lastSequence: BigInt(sequence),
        },
      },
    });
    const mine = over;
    while (!mine.signal.aborted) {
      const batch = queue;
      queue = [];
      for (const message of batch) yield create(SessionRequestSchema, message);
      if (queue.length > 0) continue;
      await ring.promise;
      ring = Promise.withResolvers<void>();
    }
  }
  const run = async (transport: Transport, onWelcome: (welcome: Welcome) => void) => {
    const client = createClient(AgentService, transport);
    for await (const { content } of client.session(outgoing(), { signal: over.signal })) {
      if (content.case === 'welcome') {
        welcomed = content.value;
        connected = true;
        const from = Number(content.value.lastSequence);
        for (const one of journal.filter((report) => report.sequence > from)) {
          push({ sequence: BigInt(one.sequence), content: one.content });
        }
        onWelcome(content.value);
      } else if (content.case === 'assignment') apply(content.value);
      else if (content.case === 'synced') {
        synced += 1;
        orphans = content.value.orphanUids;
      } else if (content.case === 'command') command(transport, content.value);
      else if (content.case === 'acknowledgement') {
        acknowledgements += 1;
        acknowledged = Number(content.value.sequence);
        journal = journal.filter((report) => report.sequence > acknowledged);
      } else if (content.case === 'goodbye') goodbye = content.value.reason;
    }
  };
  return {
    instanceId,
    guests,
    servers,
    moved,
    orders,
    channels,
    behaviour,
    typed,
    send,
    tell: (uid) => tell(uid),
    dial: (transport) => {
      over = new AbortController();
      queue = [];
      goodbye = '';
      const welcome = Promise.withResolvers<Welcome>();
      ended = run(transport, welcome.resolve)
        .catch((error: unknown) => error)
        .then((error) => {
          connected = false;
          over.abort();
          ring.resolve();
          welcome.reject(error ?? new Error('the session ended'));
          return error;
        });
      return welcome.promise;
    },
    hangUp: () => {
      over.abort();
      ring.resolve();
    },
    isConnected: () => connected,
    ended: () => ended,
    powerOffByGuest: (uid) => {
      const guest = guests.get(uid);
      if (guest === undefined) throw new Error(`no guest ${uid}`);
      guest.power = PowerState.OFF;
      guest.guestOff = true;
      said(uid, 'machine.guest_off');
      tell(uid);
    },
    acknowledged: () => acknowledged,
    acknowledgements: () => acknowledgements,
    sequence: () => sequence,
    synced: () => synced,
    orphans: () => orphans,
    welcome: () => welcomed,
    goodbye: () => goodbye,
    fetch: async (transport, sha256, offset = 0) => {
      const client = createClient(AgentService, transport);
      const parts: Uint8Array[] = [];
      const request = { sha256, offsetBytes: BigInt(offset) };
      for await (const { data } of client.getArtifact(request)) parts.push(data);
      return Buffer.concat(parts);
    },
    forget: () => {
      journalId = randomUUID();
      journal = [];
      sequence = 0;
      guests.clear();
    },
  };
};

const newGuest = (assignment: Assignment): Guest => ({
  assignment,
  power: PowerState.OFF,
  bootGeneration: 0n,
  bootCount: 0,
  bootId: '',
  guestOff: false,
});

type Following = {
  readonly uid: string;
  readonly said: (uid: string, type: string) => void;
  readonly behaviour: FakeAgent['behaviour'];
};

const follow = (
  guest: Guest,
  wanted: VirtualMachine | Server,
  { uid, said, behaviour }: Following,
): void => {
  if (wanted.power === WantedPower.OFF) {
    const isForced = wanted.forceAfter !== undefined;
    if (isForced || behaviour.obeys) guest.power = PowerState.OFF;
    return;
  }
  const isNew = wanted.bootGeneration > guest.bootGeneration;
  if (isNew && behaviour.problem === undefined) {
    guest.bootGeneration = wanted.bootGeneration;
    guest.bootCount += 1;
    guest.bootId = randomUUID();
    guest.guestOff = false;
    said(uid, 'machine.powered_on');
    said(uid, 'machine.kernel_started');
    if (behaviour.boots) said(uid, 'machine.phoned_home');
  }
  if (guest.guestOff || behaviour.problem !== undefined) return;
  guest.power = wanted.power === WantedPower.PAUSED ? PowerState.PAUSED : PowerState.ON;
};

const observation = (
  uid: string,
  guest: Guest,
  { gone, behaviour }: { gone: boolean; behaviour: FakeAgent['behaviour'] },
) => ({
  uid,
  incarnation: guest.assignment.incarnation,
  generation: guest.assignment.generation,
  power: guest.power,
  bootGeneration: guest.bootGeneration,
  ...(guest.bootCount > 0 && {
    boot: { bootCount: BigInt(guest.bootCount), bootId: guest.bootId, kernelRelease: '6.1.0' },
  }),
  ready: behaviour.boots && guest.power === PowerState.ON,
  gone,
  guestOff: guest.guestOff,
  time: timestampNow(),
  ...(behaviour.problem !== undefined && { problem: behaviour.problem }),
});

type Serving = {
  readonly channelId: string;
  readonly logOnly: boolean;
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly typed: string[];
  readonly signal: AbortSignal;
};

/** A console that answers what is typed in capitals; its log says "boot log". */
const serve = async (transport: Transport, serving: Serving): Promise<void> => {
  const { channelId, logOnly, readOnly, replayBytes, typed, signal } = serving;
  const client = createClient(AgentService, transport);
  const lines: string[] = replayBytes > 0 ? ['boot log\n'] : [];
  let ring = Promise.withResolvers<void>();
  let isOver = false;
  const request = (content: MessageInitShape<typeof ChannelRequestSchema>['content']) =>
    create(ChannelRequestSchema, content === undefined ? {} : { content });
  async function* up() {
    yield request({ case: 'channelId', value: channelId });
    yield request({ case: 'opened', value: { readOnly, truncated: logOnly } });
    while (!isOver) {
      for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        yield request({ case: 'data', value: Buffer.from(line) });
      }
      if (logOnly) break;
      await ring.promise;
      ring = Promise.withResolvers<void>();
    }
    yield request({ case: 'closed', value: '' });
  }
  for await (const { content } of client.channel(up(), { signal })) {
    if (content.case === 'close') isOver = true;
    if (content.case === 'data') {
      const text = Buffer.from(content.value).toString();
      typed.push(text);
      lines.push(text.toUpperCase());
    }
    ring.resolve();
  }
  isOver = true;
  ring.resolve();
};
