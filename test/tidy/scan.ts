/**
 * A light scan of TypeScript: enough to tell code from comments and text, and to list imports. No
 * compiler, so that the whole repository is read in well under a second.
 */
export type Source = {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  /**
   * The text with comments and the contents of strings and patterns blanked: offsets and lines
   * stay.
   */
  readonly code: string;
  readonly imports: readonly Import[];
  /** The contents of all string literals; a template gives one per part. */
  readonly strings: readonly string[];
};

export type Import = {
  readonly specifier: string;
  /** `import type`, which is gone at run time. */
  readonly typeOnly: boolean;
  /** `import()`, which is loaded when it is reached. */
  readonly dynamic: boolean;
  readonly line: number;
};

export const scan = (path: string, text: string): Source => {
  const tokens = tokenize(text);
  const code = tokens.map(shown).join('');
  const strings = tokens.filter((one) => one.kind === 'text').map((one) => one.text);
  return { path, text, code, imports: importsIn(text, code), strings };
};

export const lineAt = (text: string, offset: number): number =>
  text.slice(0, offset).split('\n').length;

type Token = {
  /**
   * `text` is the content of a string without its quotes, `pattern` that of a regular expression.
   */
  readonly kind: 'code' | 'comment' | 'text' | 'pattern';
  readonly text: string;
};

const shown = (token: Token): string =>
  token.kind === 'code' ? token.text : token.text.replace(/[^\n]/g, ' ');

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const QUOTED = /'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?/y;
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//y;
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;
const WORD = /[\w$]+/y;
/** After one of these a slash begins a pattern; after anything else it divides. */
const BEFORE_PATTERN = /^(?:[([{};,=:!&|?+*%<>~^-]|return|typeof|case|in|of|await|yield|)$/;

const tokenize = (text: string): Token[] => {
  const tokens: Token[] = [];
  /** For each open `${`, how many braces were open inside it. */
  const templates: number[] = [];
  let before = '';
  let at = 0;
  const matchHere = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? '';
  };
  const push = (kind: Token['kind'], piece: string): void => {
    tokens.push({ kind, text: piece });
    at += piece.length;
  };
  const pushTemplatePart = (opening: string): void => {
    push('code', opening);
    push('text', matchHere(TEMPLATE_PART));
    if (text.startsWith('${', at)) {
      push('code', '${');
      templates.push(0);
      before = '{';
    } else {
      push('code', text.slice(at, at + 1));
      before = '`';
    }
  };
  const pushSign = (sign: string): void => {
    const open = templates.at(-1);
    if (sign === '}' && open === 0) {
      templates.pop();
      pushTemplatePart('}');
      return;
    }
    if (open !== undefined && sign === '{') templates[templates.length - 1] = open + 1;
    if (open !== undefined && sign === '}') templates[templates.length - 1] = open - 1;
    push('code', sign);
    if (/\S/.test(sign)) before = sign;
  };
  while (at < text.length) {
    const sign = text[at] ?? '';
    const comment = sign === '/' ? matchHere(COMMENT) : '';
    const pattern = sign === '/' && BEFORE_PATTERN.test(before) ? matchHere(PATTERN) : '';
    const word = matchHere(WORD);
    if (comment !== '') push('comment', comment);
    else if (pattern !== '') {
      push('pattern', pattern);
      before = 'pattern';
    } else if (sign === "'" || sign === '"') {
      const quoted = matchHere(QUOTED);
      push('code', sign);
      push('text', quoted.slice(1, quoted.endsWith(sign) && quoted.length > 1 ? -1 : undefined));
      if (quoted.length > 1 && quoted.endsWith(sign)) push('code', sign);
      before = sign;
    } else if (sign === '`') pushTemplatePart('`');
    else if (word !== '') {
      push('code', word);
      before = word;
    } else pushSign(sign);
  }
  return tokens;
};

const IMPORTS: readonly RegExp[] = [
  /\b(?:import|export)\b(?<type>\s+type\b)?[^;'"`]*?\bfrom\s*(?<quote>['"])/g,
  /\bimport\s*(?<dynamic>\()\s*(?<quote>['"`])/g,
  /\bimport\s*(?<quote>['"])/g,
];

const importsIn = (text: string, code: string): Import[] =>
  IMPORTS.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const start = match.index + match[0].length;
      const end = code.indexOf(match.groups?.quote ?? "'", start);
      return {
        specifier: text.slice(start, end),
        typeOnly: match.groups?.type !== undefined,
        dynamic: match.groups?.dynamic !== undefined,
        line: lineAt(text, start),
      };
    }),
  );
