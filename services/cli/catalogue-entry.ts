import type { Command } from './command.ts';

/** Only what is called is loaded: a call must stay quick. */
export type VerbEntry = { readonly summary: string; readonly load: () => Promise<Command> };
export type NounEntry = {
  readonly summary: string;
  readonly verbs: Readonly<Record<string, VerbEntry>>;
};
export type Catalogue = Readonly<Record<string, NounEntry | VerbEntry>>;

export const verb = (summary: string, load: () => Promise<Command>): VerbEntry => ({
  summary,
  load,
});
