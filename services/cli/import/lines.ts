/** A file as lines, however large it is: one line is held at a time, and none may be endless. */
import { UsageError } from '../usage-error.ts';

export type Line = {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Bytes of the file up to its end. */
  readonly bytes: number;
};

/** A document, a row and a line may be so long. */
export const ENTRY_BYTES_MAX = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** Without line ends and byte-order mark. Errors: UsageError for a line without an end. */
export async function* linesOf(
  name: string,
  parts: AsyncIterable<Uint8Array>,
): AsyncGenerator<Line, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  let bytes = 0;
  for await (const part of parts) {
    const all = rest.length === 0 ? Buffer.from(part) : Buffer.concat([rest, part]);
    let at = 0;
    for (let end = all.indexOf(LINE_FEED); end >= 0; end = all.indexOf(LINE_FEED, at)) {
      number += 1;
      bytes += end + 1 - at;
      yield { text: textOf(all.subarray(at, end), number), number, bytes };
      at = end + 1;
    }
    rest = all.subarray(at);
    if (rest.length > ENTRY_BYTES_MAX) {
      throw new UsageError(`${name}: line ${number + 1} is longer than 4 MiB`);
    }
  }
  if (rest.length === 0) return;
  yield { text: textOf(rest, number + 1), number: number + 1, bytes: bytes + rest.length };
}

const MARK = '\u{feff}';

const textOf = (bytes: Buffer, number: number): string => {
  const text = bytes.toString('utf8').replace(/\r$/, '');
  return number === 1 && text.startsWith(MARK) ? text.slice(1) : text;
};
