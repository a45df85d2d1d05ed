import { formatAmount } from './amount.ts';

/** What each constraint of a request left of the providers. */
export type Funnel = {
  readonly providers: number;
  readonly steps: readonly { readonly constraint: string; readonly removed: number }[];
  readonly fitsWithout: readonly string[];
};

/** "of 120 providers:", then a line a constraint, then which one alone stood in the way. */
export const funnelLines = ({ providers, steps, fitsWithout }: Funnel): string[] => {
  if (providers === 0) return ['there is no provider'];
  let left = providers;
  const rows = steps.map(({ constraint, removed }) => {
    left = Math.max(0, left - removed);
    return { constraint: withSizes(constraint), removed: String(removed), left: String(left) };
  });
  const width = (key: 'constraint' | 'removed' | 'left') =>
    Math.max(...rows.map((row) => row[key].length), 0);
  const [constraints, removals, rests] = [width('constraint'), width('removed'), width('left')];
  return [
    `of ${providers} ${providers === 1 ? 'provider' : 'providers'}:`,
    ...rows.map(
      (row) =>
        `  ${row.constraint.padEnd(constraints)}  removed ${row.removed.padStart(removals)}` +
        `  ${row.left.padStart(rests)} left`,
    ),
    ...(fitsWithout.length
      ? [`it would fit without: ${fitsWithout.map(withSizes).join(', or without: ')}`]
      : []),
  ];
};

/** The nearest request that would fit comes first. */
export const suggestionLines = (suggestions: readonly string[]): string[] =>
  suggestions.map(
    (text, index) => `${index === 0 ? 'what would fit: ' : '            or: '}${text}`,
  );

/** "runm.memory of 1073741824" with a size in place of the bytes. */
const withSizes = (text: string): string =>
  text.replaceAll(
    /(runm\.[a-z0-9._-]+ of )(\d+)\b/g,
    (_, head: string, amount: string) =>
      head + formatAmount(head.slice(0, head.indexOf(' ')), BigInt(amount)),
  );
