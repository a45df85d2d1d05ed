import type { DatabaseSync } from 'node:sqlite';
import type { OrderState, OrderWork } from './domain/order-recovery.ts';
import { NEW_SIGN_IN, type SignInRecord } from './domain/sign-in-limit.ts';

/**
 * What an agent with role bmc must not forget: orders and their answers, what it did to each
 * server, refused credentials, and the sealed secrets with which a site that is cut off goes on.
 */
export type BmcJournal = {
  /** Undefined when it was never touched here. */
  readonly server: (uid: string) => ServerRecord | undefined;
  readonly saveServer: (uid: string, record: ServerRecord) => void;
  readonly forgetServer: (uid: string) => void;
  readonly sealedSecret: (name: string) => Uint8Array | undefined;
  readonly saveSealedSecret: (name: string, sealed: Uint8Array) => void;
  readonly forgetSecret: (name: string) => void;
  readonly signIn: (account: string) => SignInRecord;
  readonly saveSignIn: (account: string, record: SignInRecord) => void;
  /** The orders as they are kept, in one write; a second one with the same id is not taken. */
  readonly receiveOrders: (orders: readonly ReceivedOrder[]) => readonly KeptOrder[];
  readonly beginOrder: (id: string) => void;
  /** `result`: the serialised runmachine.agent.v1.CommandResult. */
  readonly finishOrder: (id: string, result: Uint8Array) => void;
  /** Those that are not done, in the order of their receipt. */
  readonly openOrders: () => readonly KeptOrder[];
};

export type ServerRecord = {
  readonly bootCount: number;
  readonly bootGeneration: bigint;
  readonly deviceGeneration: bigint;
  readonly sentGeneration: bigint;
  readonly switchedOff: boolean;
  /** Milliseconds since 1970; 0: not yet. */
  readonly startedAtMs: number;
  readonly readyAtMs: number;
  /**
   * It was to be gone and was seen off: from here on the next machine may have the server, and its
   * power is not ours to change. Absent in older files: it was not.
   */
  readonly isGone?: boolean;
  /** The serialised runmachine.agent.v1.Controller, for the end of the assignment; base64. */
  readonly controller: string;
  /** Resource name of the provider. */
  readonly provider: string;
};

export const NEW_SERVER: ServerRecord = {
  bootCount: 0,
  bootGeneration: 0n,
  deviceGeneration: 0n,
  sentGeneration: 0n,
  switchedOff: false,
  startedAtMs: 0,
  readyAtMs: 0,
  controller: '',
  provider: '',
};

export type ReceivedOrder = {
  readonly id: string;
  readonly work: OrderWork;
  /** The serialised runmachine.agent.v1.BmcOrder. */
  readonly bytes: Uint8Array;
  /** Wall clock, milliseconds since 1970. */
  readonly receivedMs: number;
  readonly validForMs: number;
};

export type KeptOrder = ReceivedOrder & {
  readonly state: OrderState;
  /** Empty until it is done. */
  readonly result: Uint8Array;
  /** False when it was kept before. */
  readonly isNew: boolean;
};

export const BMC_SCHEMA = `
  CREATE TABLE IF NOT EXISTS server (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS sign_in (account TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS bmc_order (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, work TEXT NOT NULL,
    state TEXT NOT NULL, bytes BLOB NOT NULL, received_ms INTEGER NOT NULL,
    valid_for_ms INTEGER NOT NULL, result BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS bmc_order_open ON bmc_order (number) WHERE state <> 'done';
`;

/**
 * Through `quick` goes what survives the death of the agent but may be lost with the power of its
 * host: secrets are fetched again, and a refused password is only tried once more.
 */
export const bmcJournalOf = (db: DatabaseSync, quick: DatabaseSync): BmcJournal => ({
  ...serversOf(db),
  ...secretsOf(quick),
  ...signInsOf(quick),
  ...ordersOf(db),
});

type Part<K extends keyof BmcJournal> = Pick<BmcJournal, K>;

const serversOf = (db: DatabaseSync): Part<'server' | 'saveServer' | 'forgetServer'> => {
  const get = db.prepare('SELECT record FROM server WHERE uid = ?');
  const put = db.prepare('INSERT OR REPLACE INTO server VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM server WHERE uid = ?');
  return {
    server: (uid) => {
      const row = get.get(uid);
      return row && parseRecord<ServerRecord>(String(row.record));
    },
    saveServer: (uid, record) => {
      put.run(uid, recordText(record));
    },
    forgetServer: (uid) => {
      remove.run(uid);
    },
  };
};

type Secrets = Part<'sealedSecret' | 'saveSealedSecret' | 'forgetSecret'>;

const secretsOf = (db: DatabaseSync): Secrets => {
  const get = db.prepare('SELECT sealed FROM secret WHERE name = ?');
  const put = db.prepare('INSERT OR REPLACE INTO secret VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM secret WHERE name = ?');
  return {
    sealedSecret: (name) => {
      const sealed = get.get(name)?.sealed;
      return sealed instanceof Uint8Array ? sealed : undefined;
    },
    saveSealedSecret: (name, sealed) => {
      put.run(name, sealed);
    },
    forgetSecret: (name) => {
      remove.run(name);
    },
  };
};

const signInsOf = (db: DatabaseSync): Part<'signIn' | 'saveSignIn'> => {
  const get = db.prepare('SELECT record FROM sign_in WHERE account = ?');
  const put = db.prepare('INSERT OR REPLACE INTO sign_in VALUES (?, ?)');
  return {
    signIn: (account) => {
      const row = get.get(account);
      return row === undefined ? NEW_SIGN_IN : parseRecord<SignInRecord>(String(row.record));
    },
    saveSignIn: (account, record) => {
      put.run(account, recordText(record));
    },
  };
};

/** Numbers of generations are 64 bits wide, which JSON's numbers are not. */
const recordText = (record: object): string =>
  JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

const parseRecord = <T>(text: string): T =>
  JSON.parse(text, (_, value) =>
    typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  );

/** Answers that are kept for a repeated id. */
const DONE_MAX = 10_000;

type Orders = Part<'receiveOrders' | 'beginOrder' | 'finishOrder' | 'openOrders'>;

const ordersOf = (db: DatabaseSync): Orders => {
  const add = db.prepare(
    `INSERT INTO bmc_order (id, work, state, bytes, received_ms, valid_for_ms, result)
     VALUES (?, ?, 'received', ?, ?, ?, x'') ON CONFLICT DO NOTHING`,
  );
  const one = db.prepare('SELECT * FROM bmc_order WHERE id = ?');
  const open = db.prepare("SELECT * FROM bmc_order WHERE state <> 'done' ORDER BY number");
  const begin = db.prepare("UPDATE bmc_order SET state = 'begun' WHERE id = ?");
  // What was asked may name much, so it goes when the answer is there.
  const finish = db.prepare(
    "UPDATE bmc_order SET state = 'done', bytes = x'', result = ? WHERE id = ?",
  );
  const prune = db.prepare("DELETE FROM bmc_order WHERE number <= ? AND state = 'done'");
  const receive = (order: ReceivedOrder): KeptOrder => {
    const { id, work, bytes, receivedMs, validForMs } = order;
    const added = add.run(id, work, bytes, receivedMs, validForMs);
    if (added.changes === 0) return { ...keptOrder(one.get(id) ?? {}), isNew: false };
    prune.run(BigInt(added.lastInsertRowid) - BigInt(DONE_MAX));
    return { ...order, state: 'received', result: new Uint8Array(), isNew: true };
  };
  return {
    receiveOrders: (orders) => {
      db.exec('BEGIN IMMEDIATE');
      try {
        const kept = orders.map(receive);
        db.exec('COMMIT');
        return kept;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    beginOrder: (id) => {
      begin.run(id);
    },
    finishOrder: (id, result) => {
      finish.run(result, id);
    },
    openOrders: () => open.all().map(keptOrder),
  };
};

const keptOrder = (row: Record<string, unknown>): KeptOrder => ({
  id: String(row.id),
  work: WORKS.find((work) => work === row.work) ?? 'raw',
  state: row.state === 'done' ? 'done' : row.state === 'begun' ? 'begun' : 'received',
  bytes: row.bytes instanceof Uint8Array ? row.bytes : new Uint8Array(),
  receivedMs: Number(row.received_ms),
  validForMs: Number(row.valid_for_ms),
  result: row.result instanceof Uint8Array ? row.result : new Uint8Array(),
  isNew: false,
});

/** One that a newer program wrote counts as "raw", which is never done twice. */
const WORKS: readonly OrderWork[] = [
  'probe',
  'read_facts',
  'read_power',
  'change_power',
  'read_boot_device',
  'set_boot_device',
  'read_sensors',
  'read_log',
  'clear_log',
  'set_indicator',
  'raw',
  'rotate',
  'scan',
  'read_media',
  'insert_media',
  'eject_media',
  'read_bios',
  'set_bios',
];
