/**
 * (incarnation, generation) orders assignments of one object; a restore of the installation raises
 * the first.
 */
export type AssignmentVersion = { readonly incarnation: bigint; readonly generation: bigint };

/** Negative when `a` is older, 0 when they are the same, positive when it is newer. */
export const compareVersions = (a: AssignmentVersion, b: AssignmentVersion): number => {
  if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1;
  if (a.generation === b.generation) return 0;
  return a.generation < b.generation ? -1 : 1;
};
