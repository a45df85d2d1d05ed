import {
  type Event,
  EventSchema,
  EventSeverity,
} from '../../../gen/runmachine/machine/v1/event_pb.ts';
import { formatLocalTime } from '../format/span.ts';
import { printable } from '../format/table.ts';
import type { Output, Shown } from '../output.ts';
import { lastSegment } from '../resource-names.ts';

export const shownEvent: Shown<typeof EventSchema> = {
  schema: EventSchema,
  name: (event) => event.name,
  columns: [
    { title: 'TIME', value: (event) => formatLocalTime(event.time) },
    { title: 'OBJECT', value: (event) => lastSegment(event.target) },
    { title: 'EVENT', value: (event) => event.type },
    { title: 'WHAT', value: (event) => mark(event) + event.message },
  ],
};

/** One event of a stream: a line for people, one JSON document a line for programs. */
export const showEvent = async (output: Output, event: Event): Promise<void> => {
  if (output.mode === 'json') {
    const { messageToJson } = await import('../format/message.ts');
    output.result(JSON.stringify(messageToJson(EventSchema, event)));
    return;
  }
  const what = `${lastSegment(event.target)}  ${mark(event)}${event.message}`;
  output.result(printable(`${formatLocalTime(event.time)}  ${what}`));
};

const mark = (event: Event): string => {
  if (event.severity === EventSeverity.ERROR) return 'ERROR ';
  return event.severity === EventSeverity.WARNING ? 'WARNING ' : '';
};
