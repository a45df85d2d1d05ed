/**
 * The lines of a console that hold a text, whatever its case. Consoles end lines with CR LF, and
 * move the cursor in between: what a person would read counts, what is answered is as it was.
 */
export const linesWith = (bytes: Uint8Array, text: string): Uint8Array => {
  const wanted = text.toLowerCase();
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => readable(line).toLowerCase().includes(wanted));
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
};

/** What moves the cursor and colours: control sequences of ECMA-48, 5.4. */
const SEQUENCE = new RegExp(`${String.fromCharCode(27)}\\[[0-?]*[ -/]*[@-~]`, 'g');

const readable = (line: string): string => line.replaceAll(SEQUENCE, '');
