import { writeFully } from './write-fully.js';

type Writable = Parameters<typeof writeFully>[0];

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('writing fully', () => {
  it('goes on where a write stopped short, in the middle of a part too', async () => {
    const content = Buffer.alloc(20);
    const writev = async (parts: readonly Uint8Array[], position: number) => {
      const written = Buffer.concat(parts).subarray(0, 7);
      written.copy(content, position);
      return { bytesWritten: written.length, buffers: parts };
    };
    await writeFully({ writev } as Writable, [bytes('0123'), bytes(''), bytes('456789abcde'), bytes('f')], 3);
    expect(content.toString('latin1')).toBe('\0\0\x000123456789abcdef\0');
  });

  it('fails with what the next write says', async () => {
    let writes = 0;
    const writev = async (parts: readonly Uint8Array[]) => {
      if (writes++ > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      return { bytesWritten: 1, buffers: parts };
    };
    const full = writeFully({ writev } as Writable, [bytes('xy')], 0);
    await expect(full).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
