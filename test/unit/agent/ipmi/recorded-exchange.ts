/**
 * What ipmitool 1.8.19 and the controller said to each other while it opened a session as "admin"
 * with the password "secret", and the keys that ipmitool printed (-vvvvv). With suite 3 the
 * controller was ipmi_sim, so that nothing in it comes from code of ours.
 */
export type Recorded = {
  readonly suite: 3 | 17;
  readonly toController: {
    readonly open: string;
    readonly rakp1: string;
    readonly rakp3: string;
    readonly setPrivilege: string;
  };
  readonly toConsole: {
    readonly open: string;
    readonly rakp2: string;
    readonly rakp4: string;
    readonly privilegeSet: string;
  };
  readonly integrityKey: string;
  readonly encryptionKey: string;
  /** Both messages without encryption. */
  readonly message: string;
  readonly answer: string;
};

export const CREDENTIALS = { user: 'admin', password: 'secret' } as const;

export const RECORDED: readonly Recorded[] = [
  {
    suite: 3,
    toController: {
      open: '0600ff0706100000000000000000200000000000a4a3a2a0000000080100000001000008010000000200000801000000',
      rakp1:
        '0600ff0706120000000000000000210000000000020000001f7c2d8f1f6a84c1e4f06220e5f4c1861400000561646d696e',
      rakp3:
        '0600ff07061400000000000000001c0000000000020000005cefa655702dbabd722398519616576dc2e8433d',
      setPrivilege:
        '0600ff0706c002000000030000002000c1d03803f5865908e6bfe97198140585164d8558dec921112c6d5d88fa863665ffff020784d01d842b6411698de56aaf',
    },
    toConsole: {
      open: '0600ff0706110000000000000000240000000000a4a3a2a002000000000000080100000001000008010000000200000801000000',
      rakp2:
        '0600ff07061300000000000000003c0000000000a4a3a2a0e51f0dfc25c8cbb6e5b5d98ab9adb995a123456789abcdefa123456789abcdef0496f9f9323a0a403761a4e63872fea1d003cf76',
      rakp4: '0600ff0706150000000000000000140000000000a4a3a2a0aa34b71c942d00df671d4881',
      privilegeSet:
        '0600ff0706c0a4a3a2a00100000020005cf61b9505897556df4cfc9005ac3fce73e2a5ddb23a0d279a629423488d95ccffff020775ad666698e57cd3a6b78d21',
    },
    integrityKey: '3d455b020d4cca1bc16871dcfaa565f62d34fcb4',
    encryptionKey: '36d879d0df253d805a25c5be5950b79c',
    message: '2018c881043b043c',
    answer: '811c6320043b00049d',
  },
  {
    suite: 17,
    toController: {
      open: '0600ff0706100000000000000000200000000000a4a3a2a0000000080300000001000008040000000200000801000000',
      rakp1:
        '0600ff07061200000000000000002100000000007ec6fca8e85903bcc43d7c05af2b157881338acb1400000561646d696e',
      rakp3:
        '0600ff07061400000000000000002800000000007ec6fca81008f53c08581bc80058bb2fff21494664a5ceba03c9d86627fd6d3abd4ebf45',
      setPrivilege:
        '0600ff0706c07ec6fca8030000002000328728da4c770ba856e1249e2d1002855ac2cf76988ddc1b1430cece54fec19affff0207c5be9bc31f69ba0662822412ff97708b',
    },
    toConsole: {
      open: '0600ff0706110000000000000000240000000400a4a3a2a07ec6fca8000000080300000001000008040000000200000801000000',
      rakp2:
        '0600ff0706130000000000000000480000000000a4a3a2a0f488563311b9c07d54e4de760a1a61bfbf25938777355ba02c833dec20eecf780d0305762a4f87ae340e749c643436f9681aa69c3d30dbd7331b65cfe83eec25',
      rakp4: '0600ff0706150000000000000000180000000000a4a3a2a03a85083e81c76b795dcd3c6f8674a846',
      privilegeSet:
        '0600ff0706c0a4a3a2a001000000200084e0165e909c9349b237f845c3243d3eece77bcd0faa98d9382c7800ee0e5390ffff0207d2f990255bb9a27c7422b742f8b15b37',
    },
    integrityKey: '607b33c23cc012e7273b2c7a1ee9865b033ae056b19258334994d6960d8e411a',
    encryptionKey: 'eea839c76bee54442cd84c4c9949e489',
    message: '2018c881043b043c',
    answer: '811c6320043b00049d',
  },
];

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
