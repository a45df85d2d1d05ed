import { type RawBuilder, sql } from 'kysely';

export type Value = string | number | null;

/** The values as an array of PostgreSQL. */
export const arrayOf = (values: readonly Value[], type: string): RawBuilder<unknown> =>
  (type === 'text' ? takenApart(values) : undefined) ?? sql`${values}::${sql.raw(type)}[]`;

/** Which hardly any text holds, and no JSON. */
const [SEPARATOR, NULL] = ['\u001f', '\u001e'];

/**
 * One text that PostgreSQL takes apart at a character that no value holds: to quote all quotes of
 * thousands of documents and to read them again takes longer than to write them. Undefined: one
 * holds it.
 */
const takenApart = (values: readonly Value[]): RawBuilder<unknown> | undefined => {
  const text = values.map((value) => value ?? NULL).join(SEPARATOR);
  let separators = 0;
  for (let at = text.indexOf(SEPARATOR); at >= 0; at = text.indexOf(SEPARATOR, at + 1)) {
    separators += 1;
  }
  // An empty text would be taken apart to nothing.
  if (text === '' || separators !== values.length - 1 || values.includes(NULL)) return undefined;
  return sql`string_to_array(${text}::text, ${SEPARATOR}, ${NULL})`;
};
