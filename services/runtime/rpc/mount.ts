/** Where to listen. Port 0 takes a free one. */
export type Listen = { readonly host: string; readonly port: number };

/** A listener that serves. */
export type Mount = {
  readonly host: string;
  /** The port that was taken. */
  readonly port: number;
  /** Stops accepting and waits for what runs; forcibly closes everything once the signal aborts. */
  readonly stop: (signal: AbortSignal) => Promise<void>;
};
