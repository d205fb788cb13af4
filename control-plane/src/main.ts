import { runControlPlaneProcess } from './control-plane-process.js';

await runControlPlaneProcess();
