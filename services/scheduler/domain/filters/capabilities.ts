import type { SetConstraint } from '../claim.ts';
import type { Constraint, Filter } from '../constraint.ts';
import { isEmptyConstraint, meetsOne, wordsOf } from '../set-constraint.ts';

/**
 * Keeps shapes with the capabilities that are asked for. What the providers of a group must have
 * together is judged when all are chosen; here counts what each of them must not have.
 */
export const capabilitiesFilter: Filter = {
  name: 'capabilities',
  constraints: ({ group, resources, isPart }) => [
    ...constraintsOf(isPart ? eachForItself(group.capabilities) : group.capabilities),
    ...resources.flatMap(({ capabilities }) => constraintsOf(capabilities ?? [])),
  ],
};

/** With several blocks nobody knows yet which one will hold. */
const eachForItself = (blocks: readonly SetConstraint[]): readonly SetConstraint[] => {
  const [only, second] = blocks;
  return only === undefined || second !== undefined
    ? []
    : [{ require: [], forbid: only.forbid, any: [] }];
};

const constraintsOf = (blocks: readonly SetConstraint[]): readonly Constraint[] => {
  const [only, second] = blocks;
  if (only === undefined) return [];
  if (second !== undefined) {
    const words = blocks.map(wordsOf).join(', or ');
    return [
      {
        kind: 'shape',
        name: `capability ${words}`,
        keeps: (shape) => meetsOne(shape.capabilities, blocks),
      },
    ];
  }
  if (isEmptyConstraint(only)) return [];
  const { require, forbid } = only;
  const oneOf = only.any;
  return [
    ...require.map((code) => has(`capability ${code}`, (held) => held.has(code))),
    ...forbid.map((code) => has(`no capability ${code}`, (held) => !held.has(code))),
    ...(oneOf.length === 0
      ? []
      : [has(`capability ${oneOf.join(' or ')}`, (held) => oneOf.some((code) => held.has(code)))]),
  ];
};

const has = (name: string, keeps: (held: ReadonlySet<string>) => boolean): Constraint => ({
  kind: 'shape',
  name,
  keeps: (shape) => keeps(shape.capabilities),
});
