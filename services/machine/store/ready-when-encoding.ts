import { create } from '@bufbuild/protobuf';
import { ReadyWhenSchema } from '../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import type { ReadyWhen } from '../domain/machine.ts';

export const readyWhenMessage = (ready: ReadyWhen) => {
  switch (ready.kind) {
    case 'phone_home':
      return create(ReadyWhenSchema, { condition: { case: 'phoneHome', value: {} } });
    case 'running':
      return create(ReadyWhenSchema, { condition: { case: 'running', value: {} } });
    case 'tcp_port':
      return create(ReadyWhenSchema, { condition: { case: 'tcpPort', value: ready.port } });
    case 'console_text':
      return create(ReadyWhenSchema, { condition: { case: 'consoleText', value: ready.text } });
    default:
      return ready satisfies never;
  }
};
