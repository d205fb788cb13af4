import { formatIpv4Block, isPrivateBlock, parseIpv4Block } from './ipv4-block.js';

describe('a block of addresses', () => {
  it.each(['10.0.0.0/8', '0.0.0.0/0', '192.168.4.0/22', '255.255.255.255/32'])('%s is read and written', (text) => {
    const block = parseIpv4Block(text);
    expect(block && formatIpv4Block(block)).toBe(text);
  });

  it.each(['10.0.0.1/8', '10.0.0/8', '256.0.0.0/8', '10.0.0.0/33', '::/0', ''])('%p is none', (text) => {
    expect(parseIpv4Block(text)).toBeUndefined();
  });

  it.each([
    ['10.3.0.0/16', true],
    ['172.31.0.0/16', true],
    ['172.32.0.0/16', false],
    ['100.64.0.0/10', true],
    ['10.0.0.0/7', false],
    ['0.0.0.0/0', false],
  ])('%s is private: %p', (text, expected) => {
    expect(isPrivateBlock(parseIpv4Block(text)!)).toBe(expected);
  });
});
