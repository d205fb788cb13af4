import { playBranchCutOff } from './branch-cut-off.js';
import { playBranchesBesideCollection } from './branch-beside-collection.js';
import { playBranchWhileFolded } from './branch-while-folded.js';
import { playCollectionWhileOpened } from './collection-while-opened.js';
import { playCommittedAndKilled } from './committed-and-killed.js';
import { playLateBranchManifest } from './late-branch-manifest.js';
import { playLateDeletion } from './late-deletion.js';
import { playLateLogWrite } from './late-log-write.js';
import { playOneEntryOneSealOneGone } from './quorum-one-each.js';
import { playReleaseInFlight } from './release-in-flight.js';
import type { Schedule } from './schedule.js';
import { playStalledReader } from './stalled-reader.js';

/** The schedules that can be played with any seed, by name. */
export const allSchedules: readonly Schedule[] = [
  { name: 'a reader that stood still past every lease', play: playStalledReader },
  {
    name: 'a log write landing at its seal after its log was collected',
    play: async (seed) => playLateLogWrite(seed, 'at the seal'),
  },
  {
    name: 'a log write landing above its seal after its log was collected',
    play: async (seed) => playLateLogWrite(seed, 'above the seal'),
  },
  {
    name: 'a log write landing once more after its log was collected',
    play: async (seed) => playLateLogWrite(seed, 'again'),
  },
  {
    name: 'a branch made while a collection stands still',
    play: async (seed) => playBranchesBesideCollection(seed, { heldUp: 'the collection', isEarlier: false }),
  },
  {
    name: 'a branch of an earlier moment made while a collection stands still',
    play: async (seed) => playBranchesBesideCollection(seed, { heldUp: 'the collection', isEarlier: true }),
  },
  {
    name: 'a collection run while a branch stands still',
    play: async (seed) => playBranchesBesideCollection(seed, { heldUp: 'the branch', isEarlier: false }),
  },
  {
    name: 'a collection run while a branch of an earlier moment stands still',
    play: async (seed) => playBranchesBesideCollection(seed, { heldUp: 'the branch', isEarlier: true }),
  },
  { name: 'a branch of a database that is folded for the first time', play: playBranchWhileFolded },
  { name: 'a branch under way when its owner is fenced', play: async (seed) => playBranchCutOff(seed, 'fenced') },
  { name: 'a branch under way when its owner stops', play: async (seed) => playBranchCutOff(seed, 'stopped') },
  { name: 'a collection and a request that wait for the same database', play: playCollectionWhileOpened },
  { name: 'deletions of a stalled owner landing after a branch was made elsewhere', play: playLateDeletion },
  { name: 'the manifest of a branch landing after its pin was given up', play: playLateBranchManifest },
  { name: 'quorum with one entry, one seal and one zone gone', play: playOneEntryOneSealOneGone },
  { name: 'an engine process that ends between a commit and its answer', play: playCommittedAndKilled },
  { name: 'a database released with a write in flight', play: playReleaseInFlight },
];
