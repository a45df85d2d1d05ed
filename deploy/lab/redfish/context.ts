import { hash } from 'node:crypto';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabServer } from '../server-port.ts';
import type { Events } from './events/events.ts';
import type { Guard } from './guard.ts';
import type { Json, LabReply, LabRequest } from './message.ts';
import type { Personality } from './personality.ts';
import type { Tasks } from './tasks.ts';

/** What a resource is built from. */
export type LabContext = {
  readonly server: LabServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly personality: Personality;
  readonly guard: Guard;
  readonly tasks: Tasks;
  readonly events: Events;
  /** Address of the controller. */
  readonly host: string;
};

/** The part of a path that stands for `{id}` or `{slot}`; empty where the path has none. */
export type Found = { readonly path: string; readonly id: string };

export type Write = (
  context: LabContext,
  body: Json,
  found: Found & Pick<LabRequest, 'headers'>,
) => LabReply | Promise<LabReply>;

/** Who may write: what components do, what the controller is, or for everybody (signing in). */
export type Need = 'components' | 'manager' | 'users' | 'self' | 'nobody';

export type Route = {
  /** With `{id}` for at most one part: `/redfish/v1/Systems/1/Processors/{id}`. */
  readonly path: string;
  /** Undefined = there is no such member. */
  readonly get?: (context: LabContext, found: Found) => Json | string | undefined;
  readonly patch?: Write;
  readonly post?: Write;
  readonly remove?: Write;
  /** Methods that controllers of this personality do not have here. */
  readonly lacks?: (context: LabContext, method: string) => boolean;
  /** Who may write; `components` where absent. */
  readonly need?: Need;
  /** Readable without signing in (DSP0266, authentication). */
  readonly isPublic?: boolean;
};

/** Strong, over the whole representation (DSP0266, ETags). */
export const etagOf = (json: string): string => `"${hash('sha1', json).slice(0, 16)}"`;

/** The Allow header: clients find out by it whether accounts can be created (DSP0266, headers). */
export const allowedBy = (route: Route, context: LabContext): string =>
  [
    ...(route.get === undefined ? [] : ['GET', 'HEAD']),
    ...(['PATCH', 'POST', 'DELETE'] as const).filter(
      (method) => writeOf(route, method, context) !== undefined,
    ),
  ].join(', ');

/** Undefined = this controller does not do that there. */
export const writeOf = (route: Route, method: string, context: LabContext): Write | undefined => {
  if (route.lacks?.(context, method) === true) return undefined;
  if (method === 'PATCH') return route.patch;
  if (method === 'POST') return route.post;
  return method === 'DELETE' ? route.remove : undefined;
};
