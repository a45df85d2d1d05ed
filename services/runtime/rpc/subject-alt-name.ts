/**
 * The URI names in Node's text form of a subject alternative name, "URI:spiffe://…, DNS:…". A name
 * with a comma or a quote in it is written as a JSON string, which must not be taken apart: it
 * could hold what looks like another name.
 */
export const urisIn = (subjectAltName: string): readonly string[] => {
  const uris: string[] = [];
  let rest = subjectAltName;
  while (rest !== '') {
    const [whole, type, name] = /^([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/.exec(rest) ?? [];
    if (whole === undefined || type === undefined || name === undefined) return [];
    if (type === 'URI' && !name.startsWith('"')) uris.push(name);
    rest = rest.slice(whole.length);
  }
  return uris;
};
