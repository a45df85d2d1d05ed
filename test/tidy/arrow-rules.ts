import { posix } from 'node:path';
import { type Import, lineAt, type Source } from './scan.ts';
import type { Violation } from './source-rules.ts';

/**
 * Which part of the repository may import which:
 * `rpc → domain ← work`, `store` implements `ports.ts`, a service never imports another one,
 * drivers never know the control plane, command line and console only know the public contract.
 */
export const checkArrows = (source: Source): Violation[] => {
  const from = placeOf(source.path);
  const found: Violation[] = [];
  for (const one of source.imports) {
    const target = targetOf(source.path, one.specifier);
    const reason = refusal(from, placeOf(target), { path: source.path, target, one });
    if (reason === undefined) continue;
    found.push({ path: source.path, line: one.line, message: `imports ${target}: ${reason}` });
  }
  const waits = from.layer === 'domain' ? /\b(?:await|async)\b/.exec(source.code) : null;
  if (waits === null) return found;
  const line = lineAt(source.code, waits.index);
  return [...found, { path: source.path, line, message: 'waits, which a domain never does' }];
};

/** Where an import leads: a path in the repository, or the name of a package or builtin. */
export const targetOf = (path: string, specifier: string): string =>
  specifier.startsWith('.')
    ? posix.normalize(posix.join(posix.dirname(path), specifier))
    : specifier;

type Place = {
  readonly top: 'services' | 'gen' | 'deploy' | 'test' | 'package';
  /** services/<part>; `process` for files right below services/. */
  readonly part: string;
  /** domain, rpc, store, work, drivers, …; empty for files right below the part. */
  readonly layer: string;
};

const placeOf = (path: string): Place => {
  const [top = '', part = '', layer = ''] = path.split('/');
  if (top === 'gen' || top === 'deploy' || top === 'test') return { top, part, layer: '' };
  if (top !== 'services') return { top: 'package', part: path, layer: '' };
  if (layer === '') return { top, part: part.startsWith('start') ? 'start' : 'process', layer };
  return { top, part, layer: layer.includes('.') ? '' : layer };
};

type Edge = { readonly path: string; readonly target: string; readonly one: Import };

const refusal = (from: Place, to: Place, edge: Edge): string | undefined => {
  if (from.top === 'test') return undefined;
  if (to.top === 'test') return 'only tests import tests';
  if (from.top === 'deploy' || from.top === 'gen') return undefined;
  if (to.top === 'deploy') {
    return from.part === 'start' ? undefined : 'only services/start brings tools and images';
  }
  if (from.part === 'process' || from.part === 'start') return undefined;
  return (
    betweenParts(from, to, edge) ??
    ofDomain(from, to, edge) ??
    ofOutsides(from, to, edge) ??
    ofLayers(from, to)
  );
};

/** Names of files that hold only ports: interfaces that somebody else implements. */
const PORT = /(?:^|\/)(?:ports?|[a-z0-9-]+-port|clock|random)\.ts$/;

const SHARED = new Set(['runtime', 'store']);

const betweenParts = (from: Place, to: Place, { target, one }: Edge): string | undefined => {
  if (to.top !== 'services' || to.part === from.part) return undefined;
  if (to.part === 'process' || to.part === 'start') return 'nothing imports what starts it';
  if (from.part === 'runtime') {
    return one.typeOnly && PORT.test(target) ? undefined : 'runtime knows no other part';
  }
  if (!SHARED.has(to.part)) return 'a service talks to another one through gen clients only';
  return undefined;
};

const ofDomain = (from: Place, to: Place, { target, one }: Edge): string | undefined => {
  if (from.layer !== 'domain') return undefined;
  if (to.part === from.part && to.layer === 'domain') return undefined;
  if (target === 'services/runtime/errors.ts' || target === 'node:assert/strict') return undefined;
  if (target === 'node:assert') return undefined;
  if (one.typeOnly && PORT.test(target)) return undefined;
  return 'a domain imports its own folder, runtime/errors and port types';
};

const CLIENT_SIDE = new Set(['cli', 'console']);

/** Parts of the program that lie outside the control plane. */
const ofOutsides = (from: Place, to: Place, { path, target }: Edge): string | undefined => {
  if (CLIENT_SIDE.has(from.part) && to.top === 'services' && to.part !== from.part) {
    const client = /^services\/runtime\/(?:client|errors|clock|random)/.test(target);
    return client ? undefined : `${from.part} uses gen and runtime/client only`;
  }
  if (from.part !== 'agent' || from.layer !== 'drivers') return undefined;
  if (to.top === 'gen' || target.startsWith('@connectrpc/')) {
    return 'a driver never knows the control plane';
  }
  const own = to.part === 'agent' && !['drivers', 'domain'].includes(to.layer);
  return own && !PORT.test(target) && path !== target
    ? 'a driver imports drivers, agent/domain and ports only'
    : undefined;
};

const LAYERS: Readonly<Record<string, readonly string[]>> = {
  rpc: ['work', 'store'],
  work: ['rpc', 'store'],
  store: ['rpc', 'work'],
};

const ofLayers = (from: Place, to: Place): string | undefined => {
  if (SHARED.has(from.part) || to.top !== 'services' || to.part !== from.part) return undefined;
  const refused = LAYERS[from.layer]?.includes(to.layer) === true;
  return refused
    ? `${from.layer} does not know ${to.layer}: both meet in domain and ports`
    : undefined;
};
