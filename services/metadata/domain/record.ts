/** What every stored object of this service has. Times are milliseconds since 1970. */
export type RecordHead = {
  readonly uid: string;
  /** Last segment of the name, as it was given. */
  readonly id: string;
  /** Grows with every write of the row; the etag is made of it. */
  readonly version: number;
  readonly createMs: number;
  readonly updateMs: number;
};

export type NewRecord = { readonly uid: string; readonly id: string; readonly nowMs: number };

export const newHead = ({ uid, id, nowMs }: NewRecord): RecordHead => ({
  uid,
  id,
  version: 1,
  createMs: nowMs,
  updateMs: nowMs,
});
