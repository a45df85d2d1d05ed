import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Event as EventMessage,
  EventSchema,
  EventSeverity,
} from '../../gen/runmachine/machine/v1/event_pb.ts';
import type { EventRecord, Severity } from './domain/event.ts';

const SEVERITY: Readonly<Record<Severity, EventSeverity>> = {
  info: EventSeverity.INFO,
  warning: EventSeverity.WARNING,
  error: EventSeverity.ERROR,
};

export const eventMessage = (event: EventRecord): EventMessage =>
  create(EventSchema, {
    name: `events/${event.uid}`,
    uid: event.uid,
    time: timestampFromMs(event.timeMs),
    recordTime: timestampFromMs(event.recordMs),
    type: event.type,
    severity: SEVERITY[event.severity],
    target: event.target,
    targetUid: event.targetUid,
    message: event.message,
    data: { ...event.data },
    principal: event.principal,
    operation: event.operation,
  });
