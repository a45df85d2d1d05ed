import { createSocket } from 'node:dgram';

/**
 * Whether something speaks IPMI at an address, asked without credentials: Get Channel
 * Authentication Capabilities (IPMI 2.0 §22.13), which every controller answers outside a session,
 * where the presence ping of ASF (§13.2.3) is often switched off.
 */
export const ipmiAnswers = (host: string, port: number, signal: AbortSignal): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (answers: boolean): void => {
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(answers);
    };
    const onAbort = () => end(false);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', () => end(false));
    socket.on('message', (message) => {
      if (isAnswer(message)) end(true);
    });
    // Connected, so that "port unreachable" ends it at once and strangers are not heard.
    socket.connect(port, host, () => socket.send(ASK));
  });

/** RMCP, no session, to the BMC (20h), net function App, command 38h, channel Eh, as ADMIN. */
const ASK = Buffer.from('0600ff0700000000000000000009' + '2018c88100388e04b5', 'hex');

/** RMCP of class IPMI, whose command is 38h. */
const isAnswer = (message: Buffer): boolean =>
  message.length >= 20 && message[0] === 0x06 && message[3] === 0x07 && message[19] === 0x38;
