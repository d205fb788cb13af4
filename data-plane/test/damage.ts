/** Ways in which stored bytes can be damaged. */

/** Every proper prefix of `bytes`. */
export function* truncations(bytes: Buffer): Generator<Buffer> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
}

/** `bytes` with one bit flipped, for every bit (`step` 1) or every `step`th. */
export function* bitFlips(bytes: Buffer, step = 1): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit += step) {
    const altered = Buffer.from(bytes);
    altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    yield altered;
  }
}
