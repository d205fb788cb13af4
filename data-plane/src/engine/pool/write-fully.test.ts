import { writeFully } from './write-fully.js';

describe('writing fully', () => {
  it('goes on where a write stopped short', async () => {
    const content = Buffer.alloc(20);
    const write = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      const written = Math.min(length, 7);
      content.set(bytes.subarray(offset, offset + written), position);
      return { bytesWritten: written, buffer: bytes };
    };
    await writeFully({ write } as Parameters<typeof writeFully>[0], Buffer.from('0123456789abcdef'), 3);
    expect(content.toString('latin1')).toBe('\0\0\x000123456789abcdef\0');
  });

  it('fails with what the next write says', async () => {
    let writes = 0;
    const write = async (bytes: Uint8Array) => {
      if (writes++ > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      return { bytesWritten: 1, buffer: bytes };
    };
    const full = writeFully({ write } as Parameters<typeof writeFully>[0], Buffer.from('xy'), 0);
    await expect(full).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
