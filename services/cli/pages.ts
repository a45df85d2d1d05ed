/** Reads all pages of a list; a server that never ends is cut off. */
export const allPages = async <Row>(
  read: (pageToken: string) => Promise<{ rows: readonly Row[]; nextPageToken: string }>,
): Promise<Row[]> => {
  const rows: Row[] = [];
  let token = '';
  for (let page = 0; page < 10_000; page += 1) {
    const answer = await read(token);
    rows.push(...answer.rows);
    if (answer.nextPageToken === '') return rows;
    token = answer.nextPageToken;
  }
  throw new Error('the list did not end after 10000 pages');
};
