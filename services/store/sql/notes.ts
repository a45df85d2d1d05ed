import type { Kysely } from 'kysely';
import { insertRows } from './insert-rows.ts';
import type { SharedTables } from './shared-tables.ts';

/** What a transaction says of its changes and of who made them, written at its end. */

/** Who is acting, for the audit row. */
export type Actor = {
  readonly principal: string;
  /** The person or project a service acts for; absent = for itself. */
  readonly onBehalfOf?: string;
  readonly requestId: string;
};

export type Change = {
  /** What kind of object; followers choose by it. */
  readonly kind: string;
  readonly uid: string;
  /** Absent = belongs to no project. */
  readonly projectUid?: string;
  readonly deleted?: boolean;
};

export type AuditEntry = {
  /** What was done, e.g. `provider.create`. */
  readonly action: string;
  readonly objectKind: string;
  readonly objectUid: string;
  readonly objectName: string;
  readonly projectUid?: string;
  readonly partition?: string;
  /** State before and after as JSON-like values without secrets; absent = there was none. */
  readonly before?: unknown;
  readonly after?: unknown;
};

export const createNotes = () => {
  const changes = new Map<string, Change>();
  const entries: { readonly entry: AuditEntry; readonly actor: Actor }[] = [];
  return {
    change: (change: Change): void => {
      changes.set(`${change.kind}/${change.uid}`, change);
    },
    audit:
      (actor: Actor) =>
      (entry: AuditEntry): void => {
        entries.push({ entry, actor });
      },
    changed: () => changes.size > 0,
    write: async (transaction: Kysely<SharedTables>, nowMs: number) => {
      await insertRows(transaction, {
        table: 'change',
        columns: CHANGE_COLUMNS,
        rows: [...changes.values()].map((change) => changeRow(change, nowMs)),
      });
      await insertRows(transaction, {
        table: 'audit',
        columns: AUDIT_COLUMNS,
        rows: entries.map(({ entry, actor }) => auditRow(entry, actor, nowMs)),
      });
    },
  };
};

const CHANGE_COLUMNS = {
  kind: 'text',
  uid: 'text',
  project_uid: 'text',
  deleted: 'bigint',
  at_ms: 'bigint',
} as const;

/** Of the table `audit`, in the order in which many rows are written at once. */
export const AUDIT_COLUMNS = {
  at_ms: 'bigint',
  principal: 'text',
  on_behalf_of: 'text',
  request_id: 'text',
  action: 'text',
  object_kind: 'text',
  object_uid: 'text',
  object_name: 'text',
  project_uid: 'text',
  partition: 'text',
  before: 'text',
  after: 'text',
} as const;

const changeRow = (change: Change, nowMs: number) => ({
  kind: change.kind,
  uid: change.uid,
  project_uid: change.projectUid ?? null,
  deleted: change.deleted === true ? 1 : 0,
  at_ms: nowMs,
});

const auditRow = (entry: AuditEntry, actor: Actor, nowMs: number) => ({
  at_ms: nowMs,
  principal: actor.principal,
  on_behalf_of: actor.onBehalfOf ?? null,
  request_id: actor.requestId,
  action: entry.action,
  object_kind: entry.objectKind,
  object_uid: entry.objectUid,
  object_name: entry.objectName,
  project_uid: entry.projectUid ?? null,
  partition: entry.partition ?? null,
  before: jsonText(entry.before),
  after: jsonText(entry.after),
});

const jsonText = (value: unknown): string | null => {
  if (value === undefined) return null;
  try {
    return JSON.stringify(value);
  } catch {
    // A whole number of 64 bits. To look for one everywhere costs several times the rest.
    return JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? String(field) : field));
  }
};
