import { formatAmount } from './amount.ts';

/** What each constraint of a request left of the providers. */
export type Funnel = {
  readonly providers: number;
  readonly steps: readonly { readonly constraint: string; readonly removed: number }[];
  readonly fitsWithout: readonly string[];
};

/** "of 120 providers:", a line a constraint that removed some, and which one alone did it. */
export const funnelLines = ({ providers, steps, fitsWithout }: Funnel): string[] => {
  if (providers === 0) return ['there is no provider'];
  let left = providers;
  const removing = steps.filter(({ removed }) => removed > 0);
  const idle = steps.length - removing.length;
  const rows = removing.map(({ constraint, removed }) => {
    left = Math.max(0, left - removed);
    return { constraint: withSizes(constraint), removed: String(removed), left: String(left) };
  });
  const width = (key: 'constraint' | 'removed' | 'left') =>
    Math.max(...rows.map((row) => row[key].length), 0);
  const [constraints, removals, rests] = [width('constraint'), width('removed'), width('left')];
  const without = fitsWithout.map(withSizes).join(', or without: ');
  return [
    `of ${providers} ${providers === 1 ? 'provider' : 'providers'}:`,
    ...rows.map(
      (row) =>
        `  ${row.constraint.padEnd(constraints)}  removed ${row.removed.padStart(removals)}` +
        `  ${row.left.padStart(rests)} left`,
    ),
    ...(idle > 0 ? [`  ${idleText(idle, rows.length > 0)}`] : []),
    ...(without ? [`it would fit without: ${without}`] : []),
  ];
};

const idleText = (idle: number, isMore: boolean): string =>
  `${idle} ${isMore ? 'more ' : ''}${idle === 1 ? 'constraint' : 'constraints'} removed none`;

/** The nearest request that would fit comes first. */
export const suggestionLines = (suggestions: readonly string[]): string[] =>
  suggestions.map(
    (text, index) => `${index === 0 ? 'what would fit: ' : '            or: '}${withSizes(text)}`,
  );

/** Sizes in place of bytes: in "runm.memory of 1024" and "1024 of runm.memory instead of 2048". */
export const withSizes = (text: string): string =>
  text.replaceAll(/\b(\d+) of ([a-z][a-z0-9._-]+) instead of (\d+)\b/g, insteadOf).replaceAll(
    // Newer services say sizes themselves.
    /\b(runm\.[a-z0-9._-]+) of (\d+)\b(?!\.\d| [KMGTP]?i?B\b)/g,
    (_, type: string, amount: string) => `${type} of ${formatAmount(type, BigInt(amount))}`,
  );

const insteadOf = (_: string, some: string, type: string, all: string): string =>
  `${formatAmount(type, BigInt(some))} of ${type} instead of ${formatAmount(type, BigInt(all))}`;
