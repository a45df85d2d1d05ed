import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openApt } from '../../deploy/tools/apt.ts';
import { isToolName } from '../../deploy/tools/catalog.ts';
import { fetchTools } from '../../deploy/tools/fetch.ts';
import { isInPath } from '../../deploy/tools/install-command.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import type { Need } from '../needs.ts';

export type Prepared = {
  /** What could not be had, with the reason and the cure in one line. */
  readonly missing: ReadonlyMap<Need, string>;
};

/**
 * Fetches what the tests need before they start, so that parallel test files do not race for it.
 */
export const prepare = async (
  wanted: readonly Need[],
  { toolsDir, clock, print }: { toolsDir: string; clock: Clock; print: (line: string) => void },
): Promise<Prepared> => {
  const startedMs = clock.monotonicMs();
  const missing = new Map<Need, string>();
  const tools = wanted.filter(isToolName);
  for (const [name, result] of await fetchTools({ toolsDir, wanted: tools, log: print, clock })) {
    if (result.kind === 'missing') missing.set(name, `${result.reason}; ${result.cure}`);
  }
  if (wanted.includes('apt')) {
    const reason = await whyNoMirror(toolsDir, clock);
    if (reason !== undefined) missing.set('apt', reason);
  }
  const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
  for (const [name, reason] of missing) print(`- ${name} is not here: ${reason}`);
  const here = wanted.filter((name) => !missing.has(name));
  if (wanted.length > 0) print(`✔ system programs: ${here.join(', ') || 'none'} (${seconds} s)`);
  return { missing };
};

const whyNoMirror = async (toolsDir: string, clock: Clock): Promise<string | undefined> => {
  if (!isInPath('apt-get') || !isInPath('dpkg')) return 'this system has no apt-get';
  const dir = join(toolsDir, 'mirror-trial');
  await mkdir(dir, { recursive: true });
  const apt = await openApt({ dir, clock, signal: undefined });
  const outcome = await apt.ensureLists({ fresh: true });
  return outcome.kind === 'done' ? undefined : `no package mirror: ${outcome.reason}`;
};
