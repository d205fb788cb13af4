// Loaded before a node's own code (`node --import`): replaces text in the product's modules as they are loaded, so that
// a test can prove that it notices a broken product. What to replace is in the environment variable MUTATION.
import { register } from 'node:module';

register(new URL('mutate-hooks.js', import.meta.url), { data: JSON.parse(process.env.MUTATION) });
