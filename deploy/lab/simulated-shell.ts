/**
 * The operating system of a simulated server, as one sees it through a serial line: a login prompt
 * and a shell with a handful of commands. It echoes as a terminal line does, so that a person, or
 * the console path of the control plane, can tell that keystrokes arrive.
 */
export type ShellOutcome = 'poweroff' | 'reboot';

export type SimulatedShell = {
  readonly type: (text: string) => void;
};

export type ShellDeps = {
  readonly hostname: string;
  readonly print: (text: string) => void;
  readonly leave: (outcome: ShellOutcome) => void;
};

export const SIMULATED_KERNEL = '6.12.0-lab';
/** Longer lines lose their end, as they do at a terminal in canonical mode. */
const LINE_MAX = 4_095;
const BACKSPACE = '\b \b';

export const createSimulatedShell = ({ hostname, print, leave }: ShellDeps): SimulatedShell => {
  let user: string | undefined;
  let line = '';
  /** The last character was a return; a line feed after it is part of it. */
  let returned = false;

  const prompt = (): void => {
    print(user === undefined ? `${hostname} login: ` : `${user}@${hostname}:~# `);
  };

  const run = (text: string): void => {
    if (user === undefined) {
      if (text !== '') user = text;
    } else if (text === 'exit' || text === 'logout') {
      user = undefined;
    } else if (text === 'poweroff' || text === 'reboot') {
      leave(text);
      return;
    } else {
      print(answer(text, hostname, user));
    }
    prompt();
  };

  const key = (character: string): void => {
    const isFeedOfReturn = character === '\n' && returned;
    returned = character === '\r';
    if (isFeedOfReturn) return;
    if (character === '\r' || character === '\n') {
      const text = line.trim();
      line = '';
      print('\r\n');
      run(text);
    } else if (character === '\x7f' || character === '\b') {
      if (line === '') return;
      line = line.slice(0, -1);
      print(BACKSPACE);
    } else if (character === '\x03') {
      line = '';
      print('^C\r\n');
      prompt();
    } else if (character >= ' ' && line.length < LINE_MAX) {
      line += character;
      print(character);
    }
  };

  prompt();
  return {
    type: (text) => {
      for (const character of text) key(character);
    },
  };
};

const answer = (text: string, hostname: string, user: string): string => {
  const [command = '', ...words] = text.split(/\s+/);
  switch (command) {
    case '':
      return '';
    case 'echo':
      return `${words.join(' ')}\r\n`;
    case 'hostname':
      return `${hostname}\r\n`;
    case 'whoami':
      return `${user}\r\n`;
    case 'uname':
      return `${words[0] === '-r' ? SIMULATED_KERNEL : 'Linux'}\r\n`;
    default:
      return `sh: ${command}: not found\r\n`;
  }
};
