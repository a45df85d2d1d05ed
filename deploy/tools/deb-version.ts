/**
 * Compares Debian package versions by the rules of deb-version(7): epoch, then upstream version,
 * then revision; `~` sorts before everything, letters before other signs, digits as numbers.
 */
export const compareDebVersions = (a: string, b: string): number => {
  const left = split(a);
  const right = split(b);
  return (
    Math.sign(left.epoch - right.epoch) ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
};

export type VersionRelation = '<<' | '<=' | '=' | '>=' | '>>';

/** Whether `version` fulfils e.g. `>= 2.3`. */
export const fulfils = (version: string, relation: VersionRelation, wanted: string): boolean => {
  const order = compareDebVersions(version, wanted);
  switch (relation) {
    case '<<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>>':
      return order > 0;
  }
};

type Parts = { readonly epoch: number; readonly upstream: string; readonly revision: string };

const split = (version: string): Parts => {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number.parseInt(version.slice(0, colon), 10),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
};

const comparePart = (a: string, b: string): number => {
  let left = a;
  let right = b;
  while (left !== '' || right !== '') {
    const leftText = /^\D*/.exec(left)?.[0] ?? '';
    const rightText = /^\D*/.exec(right)?.[0] ?? '';
    const byText = compareText(leftText, rightText);
    if (byText !== 0) return byText;
    left = left.slice(leftText.length);
    right = right.slice(rightText.length);
    const leftDigits = /^\d*/.exec(left)?.[0] ?? '';
    const rightDigits = /^\d*/.exec(right)?.[0] ?? '';
    const byNumber = Math.sign(Number(leftDigits) - Number(rightDigits));
    if (byNumber !== 0) return byNumber;
    left = left.slice(leftDigits.length);
    right = right.slice(rightDigits.length);
  }
  return 0;
};

const compareText = (a: string, b: string): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const order = weight(a[i]) - weight(b[i]);
    if (order !== 0) return Math.sign(order);
  }
  return 0;
};

/** `~` < end of text < letters < everything else. */
const weight = (sign: string | undefined): number => {
  if (sign === undefined) return 0;
  if (sign === '~') return -1;
  const code = sign.charCodeAt(0);
  return /[A-Za-z]/.test(sign) ? code : code + 256;
};
