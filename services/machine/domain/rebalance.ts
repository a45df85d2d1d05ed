/**
 * Which controller goes to another agent of its pool, so that a pool shares its work also when an
 * agent joins later or comes back. Every move makes the two loads more alike, so moving ends; a
 * difference of an eighth is left as it is, because each move costs sign-ins at a controller.
 */
import { currentObservation, type Machine } from './machine.ts';

export type Held = {
  readonly providerUid: string;
  /** Who works at it. */
  readonly agentKey: string;
  /** Who may. */
  readonly pool: readonly string[];
};

export type Move = { readonly providerUid: string; readonly to: string };

export type Loads = {
  /** How many controllers each connected agent has; one that is not connected is not among them. */
  readonly loads: ReadonlyMap<string, number>;
  /** Moves that have begun and not ended. */
  readonly underWay: number;
};

/** At the same time in a partition. */
export const MOVES_MAX = 8;

/** Undefined: nothing is to move now. */
export const nextMove = (held: readonly Held[], { loads, underWay }: Loads): Move | undefined => {
  if (underWay >= MOVES_MAX) return undefined;
  let best: (Move & { readonly gap: number }) | undefined;
  for (const { providerUid, agentKey, pool } of held) {
    const load = loads.get(agentKey);
    // Whoever is not connected loses it at once, and not by a balance.
    if (load === undefined) continue;
    for (const to of pool) {
      const gap = load - (loads.get(to) ?? load);
      if (gap >= gapMin(load) && gap > (best?.gap ?? 0)) best = { providerUid, to, gap };
    }
  }
  return best && { providerUid: best.providerUid, to: best.to };
};

/** Whether its agent has done what is wanted of it and nobody wants anything else. */
export const hasSettled = (machine: Machine): boolean =>
  (machine.state === 'active' || machine.state === 'stopped') &&
  machine.operationUid === null &&
  currentObservation(machine) !== null;

/** From two on a move changes something for the better. */
export const gapMin = (load: number): number => Math.max(2, Math.ceil(load / 8));
