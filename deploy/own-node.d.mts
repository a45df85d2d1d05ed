/** `runs`, `absent`, `libatomic`, or what the loader said. */
export declare const ownNodeState: (ownNode: string) => string;
/** Undefined when it worked, else why not in one line. */
export declare const bringLibatomic: (nodeModules: string) => string | undefined;
export declare const linkOwnNode: (nodeModules: string) => void;
export declare const libatomicCommand: () => string;
