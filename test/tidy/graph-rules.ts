import { targetOf } from './arrow-rules.ts';
import type { Source } from './scan.ts';
import type { Violation } from './source-rules.ts';

/** Files that import each other when they are loaded; one violation per circle. */
export const checkCycles = (sources: readonly Source[]): Violation[] => {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      source.imports
        .filter((one) => !one.typeOnly && !one.dynamic)
        .map((one) => targetOf(source.path, one.specifier)),
    ]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const found: Violation[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      const circle = [...trail.slice(trail.indexOf(path)), path];
      found.push({ path, line: 0, message: `is in an import cycle: ${circle.join(' → ')}` });
      return;
    }
    state.set(path, 'open');
    for (const next of edges.get(path) ?? []) if (edges.has(next)) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
};

/**
 * Source files that nothing leads to: neither a test, nor `entries`, nor a string in a source that
 * ends like the file's path (a program that is started, a worker, a plugin). Generated code is not
 * asked.
 */
export const checkUnused = (
  sources: readonly Source[],
  entries: readonly string[],
): Violation[] => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const queue = sources
    .map((source) => source.path)
    .filter((path) => /\.test\.ts$/.test(path) || entries.includes(path));
  while (queue.length > 0) {
    const path = queue.pop();
    if (path === undefined || reached.has(path)) continue;
    reached.add(path);
    const source = byPath.get(path);
    if (source === undefined) continue;
    for (const one of source.imports)
      queue.push(...resolved(targetOf(path, one.specifier), byPath));
    for (const text of source.strings) queue.push(...mentioned(path, text, byPath));
  }
  return sources
    .filter(({ path }) => !reached.has(path) && !path.startsWith('gen/'))
    .map(({ path }) => ({ path, line: 0, message: 'is used by nothing' }));
};

/** A dynamic import with `${…}` in it leads to every file that fits. */
const resolved = (target: string, byPath: ReadonlyMap<string, Source>): string[] => {
  if (!target.includes('${')) return byPath.has(target) ? [target] : [];
  const parts = target
    .split(/\$\{[^}]*\}/)
    .map((part) => part.replaceAll(/[.*+?^$()[\]\\|{}]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('[^/]+')}$`);
  return [...byPath.keys()].filter((path) => pattern.test(path));
};

const mentioned = (from: string, text: string, byPath: ReadonlyMap<string, Source>): string[] => {
  if (!/\.(?:ts|mjs|js)$/.test(text)) return [];
  const near = targetOf(from, text);
  if (byPath.has(near)) return [near];
  const tail = text.replace(/^(?:\.{0,2}\/)+/, '');
  return [...byPath.keys()].filter((path) => path === tail || path.endsWith(`/${tail}`));
};
