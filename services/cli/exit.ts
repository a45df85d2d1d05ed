/** Exit codes by class of error, so that scripts need not read text. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  precondition: 5,
  denied: 6,
  exhausted: 7,
  unavailable: 8,
  interrupted: 130,
} as const;
