/** What people and programs read of an import: failures, changes, how far it is, and its end. */

import { toJson } from '@bufbuild/protobuf';
import {
  ProviderUpsertResultSchema,
  UpsertOutcome,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { Context } from '../command.ts';
import { anyRegistry } from '../format/message.ts';
import { spanText } from '../format/span.ts';
import { printable } from '../format/table.ts';
import { refusalText } from '../report-rpc-error.ts';
import { statusError } from '../status-error.ts';
import type { Done } from './send.ts';

type Options = {
  readonly dryRun: boolean;
  readonly each: boolean;
  /** Size of the file; undefined: not known. */
  readonly bytes: number | undefined;
};

export type Report = {
  readonly done: (done: Done) => void;
  /** Shows the sum. */
  readonly end: () => void;
  readonly hasFailed: () => boolean;
  /** Nothing was done and nothing failed. */
  readonly isEmpty: () => boolean;
};

/** More failures are only counted: nobody reads a million lines. */
const FAILURES_SHOWN_MAX = 50;
const PROGRESS_MS = 500;

type Word = 'created' | 'updated' | 'unchanged' | 'failed';

const WORDS: Readonly<Record<UpsertOutcome, Word>> = {
  [UpsertOutcome.UNSPECIFIED]: 'failed',
  [UpsertOutcome.CREATED]: 'created',
  [UpsertOutcome.UPDATED]: 'updated',
  [UpsertOutcome.UNCHANGED]: 'unchanged',
  [UpsertOutcome.FAILED]: 'failed',
};

const MARKS: Readonly<Record<Word, string>> = {
  created: '+',
  updated: '~',
  unchanged: '=',
  failed: '!',
};

export const createReport = (context: Context, options: Options): Report => {
  const { output, clock } = context;
  const counts = { created: 0, updated: 0, unchanged: 0, failed: 0 };
  const startMs = clock.monotonicMs();
  let shownMs = startMs;
  let providers = 0;
  const progress = (bytes: number): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    output.progress(progressText({ ...options, counts, done: bytes, elapsedMs: nowMs - startMs }));
  };
  return {
    hasFailed: () => counts.failed > 0,
    isEmpty: () => Object.values(counts).every((count) => count === 0),
    done: (done) => {
      const word = wordOf(done);
      counts[word] += 1;
      if (done.kind === 'provider') providers += 1;
      show(context, { ...options, done, word, failures: counts.failed });
      progress(done.entry.bytes);
    },
    end: () => {
      if (counts.failed > FAILURES_SHOWN_MAX && output.mode !== 'json') {
        output.remark(`… and ${counts.failed - FAILURES_SHOWN_MAX} more failed`);
      }
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      const would = options.dryRun ? 'would be ' : '';
      const sum = (['created', 'updated', 'unchanged'] as const).map(
        (word) => `${counts[word]} ${would}${word}`,
      );
      const rate = seconds > 1 ? ` (${Math.round(providers / seconds)} providers/s)` : '';
      output.remark(`${sum.join(', ')}, ${counts.failed} failed${rate}`);
    },
  };
};

const wordOf = (done: Done): Word => {
  switch (done.kind) {
    case 'provider':
      return WORDS[done.result.outcome] ?? 'failed';
    case 'named':
      return done.outcome;
    case 'wrong':
      return 'failed';
  }
};

type Shown = Options & { readonly done: Done; readonly word: Word; readonly failures: number };

const show = ({ output }: Context, { dryRun, each, done, word, failures }: Shown): void => {
  const { line, id } = done.entry;
  if (output.mode === 'json') {
    output.result(JSON.stringify({ line, kind: done.entry.kind, id, ...jsonOf(done, word) }));
    return;
  }
  if (output.mode === 'quiet') {
    if (done.kind === 'provider' && word !== 'failed') output.result(done.result.name);
    return;
  }
  if (word === 'failed') {
    if (failures > FAILURES_SHOWN_MAX) return;
    output.remark(printable(`line ${line}: ${id === '' ? '' : `${id}: `}${problemOf(done)}`));
    return;
  }
  if (!each && (!dryRun || word === 'unchanged')) return;
  const kind = done.kind === 'named' ? `${done.entry.kind} ` : '';
  output.result(printable(`${MARKS[word]} ${kind}${id}`));
  if (done.kind !== 'provider') return;
  for (const { path, before, after } of done.result.changes) {
    output.result(printable(`    ${path}: ${before || '(nothing)'} → ${after || '(nothing)'}`));
  }
};

const problemOf = (done: Done): string => {
  if (done.kind === 'wrong') return done.problem;
  if (done.kind === 'provider' && done.result.error) {
    return refusalText(statusError(done.result.error));
  }
  return 'no result';
};

const jsonOf = (done: Done, word: Word) => {
  if (done.kind === 'wrong') return { outcome: word, error: { message: done.problem } };
  if (done.kind === 'named') return { outcome: word };
  const { changes, error } = done.result;
  const json = toJson(
    ProviderUpsertResultSchema,
    { ...done.result, name: '' },
    { registry: anyRegistry },
  );
  return {
    name: done.result.name,
    outcome: word,
    ...(changes.length + (error ? 1 : 0) > 0 && partsOf(json)),
  };
};

const partsOf = (json: ReturnType<typeof toJson>): object => {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return {};
  const { outcome: _, ...parts } = json;
  return parts;
};

type Progress = Options & {
  readonly counts: Readonly<Record<Word, number>>;
  readonly done: number;
  readonly elapsedMs: number;
};

const progressText = ({ counts, done, bytes, elapsedMs }: Progress): string => {
  const all = counts.created + counts.updated + counts.unchanged + counts.failed;
  const rate = Math.round((all * 1000) / Math.max(1, elapsedMs));
  const share = bytes === undefined || bytes === 0 ? undefined : Math.min(1, done / bytes);
  const left =
    share === undefined || share === 0
      ? ''
      : `, ${spanText((elapsedMs * (1 - share)) / share / 1000)} left`;
  const percent = share === undefined ? '' : ` (${Math.floor(share * 100)} %)`;
  const failed = counts.failed === 0 ? '' : `, ${counts.failed} failed`;
  return `${all} items${percent}, ${rate}/s${left}${failed}`;
};
