/** The Serial over LAN payload, both directions (IPMI 2.0 §15.9, tables 15-2 and 15-3). */
export type SolPacket = {
  /** 1 … 15; 0: it carries no characters and is not acknowledged. */
  readonly sequence: number;
  /** Which one it acknowledges; 0 = none. */
  readonly acknowledged: number;
  /** How many characters of that one were taken. */
  readonly accepted: number;
  /** Bits, whose meaning depends on the direction. */
  readonly flags: number;
  readonly data: Buffer;
};

/** Towards the console. */
export const SOL_STATUS = {
  nack: 0x40,
  /** It cannot take characters now; an acknowledge without one tells when it can. */
  unavailable: 0x20,
  deactivated: 0x10,
  overrun: 0x08,
  break: 0x04,
} as const;

/** Towards the managed system. */
export const SOL_OPERATION = { nack: 0x40, break: 0x10 } as const;

export const SOL_HEADER_BYTES = 4;
/** The accepted count is one byte. */
export const SOL_DATA_BYTES_MAX = 255;

export const decodeSol = (payload: Buffer): SolPacket | undefined => {
  if (payload.length < SOL_HEADER_BYTES) return undefined;
  return {
    sequence: payload.readUInt8(0) & 0x0f,
    acknowledged: payload.readUInt8(1) & 0x0f,
    accepted: payload.readUInt8(2),
    flags: payload.readUInt8(3),
    data: payload.subarray(SOL_HEADER_BYTES),
  };
};

export const encodeSol = (packet: SolPacket): Buffer => {
  const { sequence, acknowledged, accepted, flags, data } = packet;
  return Buffer.concat([Buffer.from([sequence, acknowledged, accepted, flags]), data]);
};

/** 1 … 15, over and over. */
export const nextSolSequence = (sequence: number): number => (sequence % 15) + 1;
