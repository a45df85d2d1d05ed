import type { Transport } from '@connectrpc/connect';
import { createPeopleTransport } from '../runtime/client.ts';
import { systemClock } from '../runtime/clock.ts';
import { patient } from './patient-transport.ts';
import type { Settings } from './profile.ts';

/** Connects on first use, so that help and completion cost no handshake. */
export const lazyTransport = (
  settings: Settings,
): { transport: () => Transport; close: () => void } => {
  let transport: Transport | undefined;
  let opened: ReturnType<typeof createPeopleTransport> | undefined;
  return {
    transport: () => {
      opened ??= createPeopleTransport({
        endpoint: settings.endpoint,
        ...(settings.caPem === undefined ? {} : { caPem: settings.caPem }),
        ...(settings.token === undefined ? {} : { token: settings.token }),
      });
      transport ??= patient(opened.transport, systemClock);
      return transport;
    },
    close: () => opened?.close(),
  };
};
