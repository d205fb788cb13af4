/**
 * A child that ends as often as its script says: FICKLE_SCRIPT is a comma-separated list, one word for each start, the
 * last word for all further ones; FICKLE_FILE counts the starts.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const file = process.env.FICKLE_FILE;
const starts = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
writeFileSync(file, String(starts + 1));
const words = process.env.FICKLE_SCRIPT.split(',');
const word = words[Math.min(starts, words.length - 1)];

process.on('disconnect', () => process.exit(0));
if (word === 'die') process.exit(3);
if (word === 'misconfigured') process.exit(78);
if (word === 'stubborn') process.on('SIGTERM', () => console.log('not yet'));
else process.on('SIGTERM', () => process.exit(0));
console.log(JSON.stringify({ level: 30, msg: `start ${starts + 1}` }));
console.error('something odd');
process.send({ type: 'ready', start: starts + 1 });
setInterval(() => undefined, 60_000);
