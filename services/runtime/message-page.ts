import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';

/** What store/sql/page.ts gives for a list request. */
type Page<Key> = { readonly size: number; readonly tokenAt: (key: Key) => string };

type PageOfMessages<D extends DescMessage> = {
  readonly messages: MessageShape<D>[];
  /** Empty = this is the last page. */
  readonly nextPageToken: string;
};

/** A page ends here even when page_size allows more; one message always fits. */
export const PAGE_BYTES_MAX = 1_048_576;
export const PAGE_SIZE_DEFAULT = 100;
export const PAGE_SIZE_MAX = 1000;

/**
 * Makes the messages of one page from the rows that the store gave for it (one more than the page
 * when there is a next), cut at the page's size and at 1 MiB.
 */
export const pageOfMessages = <Row, Key, D extends DescMessage>(
  page: Page<Key>,
  rows: readonly Row[],
  how: {
    readonly schema: D;
    readonly toMessage: (row: Row) => MessageShape<D>;
    readonly keyOf: (row: Row) => Key;
  },
): PageOfMessages<D> => {
  const messages: MessageShape<D>[] = [];
  let bytes = 0;
  let last: Row | undefined;
  for (const row of rows.slice(0, page.size)) {
    const message = how.toMessage(row);
    bytes += toBinary(how.schema, message).length;
    if (messages.length > 0 && bytes > PAGE_BYTES_MAX) break;
    messages.push(message);
    last = row;
  }
  const isLast = messages.length === rows.length;
  return {
    messages,
    nextPageToken: last === undefined || isLast ? '' : page.tokenAt(how.keyOf(last)),
  };
};
