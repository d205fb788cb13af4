/*
 * Model of the ownership and log protocol: one epoch that writes, two successors that end it and take its databases
 * over.
 *
 * Every branch of a process is one step that changes one stored object at most, and any step of any process may come
 * next, or never. So a crash is a process that takes no further step, a stall is one that takes its next step late, and
 * a request that is delayed, repeated or unanswered is a step of its own that may happen after anything else.
 *
 * README.md beside this file says what is left out, what is asserted, and what the -D switches break.
 */

/* Bounds. */
#ifndef DATABASES
#define DATABASES 2
#endif
#ifndef POSITIONS_E
#define POSITIONS_E 3 /* log objects that epoch E may write; a seal can stand one higher */
#endif
#ifndef POSITIONS_R
#define POSITIONS_R 0 /* log objects that epoch R may write */
#endif

#ifndef IN_FLIGHT
#define IN_FLIGHT 2 /* log objects of an epoch on their way at once */
#endif
#ifndef PACKS
#define PACKS 0 /* 1: E copies what is not folded yet into packs, so that its mark can rise */
#endif
#ifndef SUCCESSORS
#define SUCCESSORS 2 /* 1: only S runs */
#endif

#define E 0 /* the epoch that owns everything at first */
#define R 1 /* a successor: ends E, claims, serves, writes, and can be ended itself */
#define S 2 /* another one: ends E and R, claims, serves */

#if POSITIONS_E > POSITIONS_R
#define SLOTS (POSITIONS_E + 1)
#else
#define SLOTS (POSITIONS_R + 1)
#endif
#define COMMITS (POSITIONS_E + POSITIONS_R + 1)

#define EMPTY 0
#define OBJECT 1
#define SEAL 2

/* ---- The store: what lies there. A position that was deleted is EMPTY again. ---- */
byte log_[2 * SLOTS];
bit condemned[2];
byte mark[2];
byte packNamed; /* the node record of E names packs that hold what is unfolded below this position */
bit recorded[2];
byte recordFrom[2]; /* a recovery record: the objects at recordFrom ... recordTo - 1 */
byte recordTo[2];
byte recordPack; /* the same in the recovery record of E */
byte owner[DATABASES]; /* the manifest of a database */
byte term[DATABASES];
byte generation[DATABASES]; /* last commit folded in */
byte tail[DATABASES]; /* bit e: the range of epoch e */
byte usedBy[DATABASES * 4]; /* by term: epoch + 1 that wrote generation objects under this term's names */

/* ---- What a node knows, by epoch. ---- */
byte next_[2];                        /* next position of its log */
byte acknowledged[2];                 /* positions below are acknowledged */
byte stored[2];                       /* bit p: position p is known to be stored */
bit fenced[2];
bit ending;                           /* E ends cleanly */
byte content[2 * SLOTS * DATABASES];  /* what a position was written with: commit number * 2 + variant, 0 = nothing */
bit serving[3 * DATABASES];
byte handed[3 * DATABASES];           /* last commit the engine made and handed to the log */
byte durable[3 * DATABASES];          /* last commit reported durable, or restored */
byte known[3 * DATABASES];            /* generation in the manifest as the node knows it */
byte swing[3 * DATABASES];            /* a manifest change on its way: the generation it names; 0 = none */
byte termOf[3 * DATABASES];            /* the term under which the node owns the database */
byte late;                            /* a manifest change of database 0 that E gave up and that may still arrive */
byte packed;                          /* what is unfolded below this position of E is in a stored pack */
byte packSent;                        /* the packs that E last sent to its node record */
byte markSent;                        /* the mark that E last sent to its node record */
byte restoring[DATABASES];            /* E restores the database: the generation it started from, + 1 */
#ifdef GIVEN_UP_FOLD_FORGETS
byte forgotten;                       /* fragments up to this commit are no longer in the list of unfolded ones */
#endif
#ifdef REOPEN_BEFORE_RESOLVED
bit variant[DATABASES];               /* tells apart two commits of E that have the same number */
#define VARIANT(db) variant[db]
#else
#define VARIANT(db) 0
#endif

/* ---- Only for the assertions. The history that was acknowledged to a client or served by an owner. ---- */
byte history[DATABASES * COMMITS]; /* by commit number: who made it (writer id), from 1 */
byte historyEnd[DATABASES];
byte lastServed[DATABASES];        /* the epoch that claimed and served last */

#define LOG(e, p) log_[(e) * SLOTS + (p)]
#define CONTENT(e, p, db) content[((e) * SLOTS + (p)) * DATABASES + (db)]
#define OF(field, e, db) field[(e) * DATABASES + (db)]
#define HISTORY(db, number) history[(db) * COMMITS + (number) - 1]
#define WRITER(e, made) ((e) * 2 + ((made) & 1) + 1)
#define LIMIT(e) ((e) == E -> POSITIONS_E : POSITIONS_R)

/* Scratch of one step; not part of a state, except in a breadth-first search, which spin does not offer without. */
#ifdef BREADTH_FIRST
#define SCRATCH
#else
#define SCRATCH hidden
#endif
SCRATCH byte each;
SCRATCH byte last;
SCRATCH byte made;
SCRATCH byte source;
SCRATCH byte spot;
SCRATCH byte start;
SCRATCH byte pack;

#ifdef WITNESS
#define witness(name, condition) assert(!(WITNESS == name && (condition)))
#else
#define witness(name, condition) skip
#endif
#define ACKNOWLEDGED_IS_SERVED 1
#define STORED_UNACKNOWLEDGED_IS_KEPT 2
#define ABOVE_THE_SEAL_IS_GONE 3
#define SERVED_FROM_A_DELETED_LOG 4
#define SECOND_SUCCESSOR_SERVES 5
#define STALE_FOLD_LOSES 6
#define SERVED_FROM_A_PACK 7

/* ---- Commits and history ---- */

/* A commit is reported durable to a client. It must be the next of the history, or in what a successor served. */
inline acknowledgeCommit(e, db) {
  last = made >> 1;
  OF(durable, e, db) = last;
  if
  :: last <= historyEnd[db] -> assert(HISTORY(db, last) == WRITER(e, made)) /* invariant: one history, no fork */
  :: else ->
    assert(lastServed[db] == e && last == historyEnd[db] + 1); /* invariant: what a successor does not have stays away */
    HISTORY(db, last) = WRITER(e, made);
    historyEnd[db] = last
  fi
}

inline acknowledgePosition(e, p) {
  each = 0;
  do
  :: each < DATABASES ->
    made = CONTENT(e, p, each);
    if
    :: made > 0 -> acknowledgeCommit(e, each)
    :: else
    fi;
    each++
  :: else -> break
  od
}

/* One fragment of a restore: it must be there, follow its predecessor, and be what the history says. */
inline restoreFragment(e, p, db) {
  made = CONTENT(e, p, db);
  if
  :: made > 0 && (made >> 1) > start && (LOG(e, p) != SEAL || p < pack) ->
    assert(LOG(e, p) == OBJECT || p < pack); /* invariant: nothing needed is deleted */
    assert((made >> 1) == last + 1); /* invariant: no gap in a restore */
    last++;
    if
    :: last <= historyEnd[db] -> assert(HISTORY(db, last) == WRITER(e, made)) /* invariant: one history, no fork */
    :: else ->
      HISTORY(db, last) = WRITER(e, made);
      historyEnd[db] = last
    fi
  :: else
  fi
}

/* Generation, tail and own fragments as the manifest in the store says. Leaves the last commit in n. */
inline restore(e, db) {
  start = generation[db];
  last = start;
  assert(last <= historyEnd[db]); /* invariant: a generation holds only what was acknowledged or served */
  source = 0;
  do
  :: source < 2 ->
    if
    :: tail[db] & (1 << source) ->
      pack = (source == E -> recordPack : 0);
      spot = (pack -> 0 : recordFrom[source]);
      do
      :: spot < recordTo[source] -> restoreFragment(source, spot, db); spot++
      :: else -> break
      od
    :: else
    fi;
    source++
  :: else -> break
  od;
  if
  :: e != S ->
    pack = (e == E -> packed : 0);
    spot = 0;
    do
    :: spot < acknowledged[e] -> restoreFragment(e, spot, db); spot++
    :: else -> break
    od
  :: else
  fi;
  assert(last == historyEnd[db]) /* invariant: every acknowledged commit is restored */
}

/* ---- Writing the log ---- */

inline commit(e, db) {
  OF(handed, e, db) = OF(handed, e, db) + 1;
  CONTENT(e, next_[e], db) = OF(handed, e, db) * 2 + VARIANT(db)
}

/* One log object with a commit of one database or of several goes out. */
inline send(e) {
#ifdef ACKNOWLEDGE_BEFORE_STORED
  acknowledgePosition(e, next_[e]);
  stored[e] = stored[e] | (1 << next_[e]);
  acknowledged[e] = next_[e] + 1;
#endif
  next_[e] = next_[e] + 1
}

#ifdef TOO_MANY_IN_FLIGHT
#define hasRoom(e) (next_[e] < LIMIT(e))
#else
#define hasRoom(e) (next_[e] < LIMIT(e) && next_[e] < acknowledged[e] + IN_FLIGHT)
#endif
#define mayWrite(e) ((e) != S && hasRoom(e) && !fenced[e] && !((e) == E && ending))
#define mayCommit(e, db) (OF(serving, e, db) && !((e) == E && restoring[db]))

/* A create reaches the store: the first time, late, or again after it was tried again. */
#define reaches(e, p) ((e) != S && p < LIMIT(e) && p < next_[e] && LOG(e, p) == EMPTY)

/* The node learns what stands at a position: by the answer to its create, or by reading. */
#define learns(e, p) \
  ((e) != S && p < LIMIT(e) && p < next_[e] && !fenced[e] && !(stored[e] & (1 << p)) && LOG(e, p) != EMPTY)

inline learn(e, p) {
  if
#ifndef LOST_TAKEN_FOR_WON
  :: LOG(e, p) == SEAL -> fenced[e] = 1
#endif
  :: else ->
    stored[e] = stored[e] | (1 << p);
#ifdef ACKNOWLEDGE_OUT_OF_ORDER
    acknowledgePosition(e, p);
#endif
    do
    :: stored[e] & (1 << acknowledged[e]) ->
#ifndef ACKNOWLEDGE_OUT_OF_ORDER
      acknowledgePosition(e, acknowledged[e]);
#endif
      acknowledged[e] = acknowledged[e] + 1
    :: else -> break
    od
  fi
}

/* ---- Folding: the owner's change of the manifest ---- */

#define mayFold(e, db) (OF(serving, e, db) && !OF(swing, e, db) && OF(durable, e, db) > OF(known, e, db))

/* Reads what is durable and not folded, and stores a generation object under a name of its term. */
inline fold(e, db) {
  if
  :: owner[db] == e -> restore(e, db)
  :: else
  fi;
#define USED_BY(e, db) usedBy[(db) * 4 + OF(termOf, e, db)]
  assert(USED_BY(e, db) == 0 || USED_BY(e, db) == e + 1); /* invariant: no two epochs write under one name */
  USED_BY(e, db) = e + 1;
  OF(swing, e, db) = OF(durable, e, db)
}

/* The conditional write of the manifest that names the new generation and no tail takes effect. */
#ifdef FOLD_UNCONDITIONAL
#define swings(e, db) (OF(swing, e, db) && OF(swing, e, db) != OF(known, e, db) && generation[db] != OF(swing, e, db))
#else
#define swings(e, db) (OF(swing, e, db) && owner[db] == e && generation[db] == OF(known, e, db))
#endif

inline swingManifest(e, db) {
  owner[db] = e;
  term[db] = OF(termOf, e, db);
  generation[db] = OF(swing, e, db);
  tail[db] = 0
}

/* The owner learns that its change took effect. When another epoch has claimed the database it never does. */
#define learnsSwing(e, db) (OF(swing, e, db) && owner[db] == e && generation[db] == OF(swing, e, db))

inline adoptSwing(e, db) {
  OF(known, e, db) = generation[db];
  OF(swing, e, db) = 0;
  if
  :: e == E && db == 0 -> late = 0
  :: else
  fi
}

/* E gave up to wait for an answer and folded anew; the change that it gave up may arrive before the new one. */
#define lateSwings (late && owner[0] == E && generation[0] == OF(known, E, 0))

/* What stands in the manifest is neither what E knew nor what it sent last: it opens the database anew. */
#define isOutdated \
  (owner[0] == E && generation[0] != OF(known, E, 0) && generation[0] != OF(swing, E, 0) && \
   OF(handed, E, 0) == OF(durable, E, 0) && !restoring[0])

/* ---- Low-water mark of E ---- */

#ifdef MARK_BEFORE_SWING
#define foldedForMark(db) (OF(swing, E, db) > OF(known, E, db) -> OF(swing, E, db) : OF(known, E, db))
#else
#define foldedForMark(db) OF(known, E, db)
#endif
#ifdef MARK_IGNORES_RESTORE
#define neededFrom(db) foldedForMark(db)
#else
#define neededFrom(db) (restoring[db] -> restoring[db] - 1 : foldedForMark(db))
#endif
#ifdef MARK_IGNORES_IN_FLIGHT
#define MARK_LIMIT next_[E]
#else
#define MARK_LIMIT acknowledged[E]
#endif
#ifdef MARK_OF_ONE_DATABASE
#define MARKED_DATABASES 1
#else
#define MARKED_DATABASES DATABASES
#endif

#ifdef PACK_AFTER_END
#define mayPack (!restoring[0])
#else
#define mayPack (!restoring[0] && !ending)
#endif

#define isNeeded(p, db) (p < acknowledged[E] && (CONTENT(E, p, db) >> 1) > neededFrom(db))

/* Leaves in spot the lowest position that E needs: unfolded, being restored from, or not acknowledged. */
inline lowestNeeded() {
  spot = packed;
  do
  :: spot < MARK_LIMIT ->
    each = 0;
    do
    :: each == MARKED_DATABASES || isNeeded(spot, each) -> break
    :: else -> each++
    od;
    if
    :: each < MARKED_DATABASES -> break
    :: else -> spot++
    fi
  :: else -> break
  od
}

#ifdef DELETE_BEFORE_MARK
#define mayDelete(p) (p < POSITIONS_E && p < markSent && LOG(E, p) == OBJECT)
#else
#define mayDelete(p) (p < POSITIONS_E && p < mark[E] && LOG(E, p) == OBJECT)
#endif

/* ---- A log that has ended and that no manifest needs any more is collected; its seal stays. ---- */

#ifdef SEAL_COLLECTED
#define isCollected(p) (p < SLOTS && LOG(E, p) != EMPTY)
#else
#define isCollected(p) (p < SLOTS && LOG(E, p) == OBJECT)
#endif
#if DATABASES > 1
#define isUnneeded (recorded[E] && owner[0] != E && !(tail[0] & 1) && owner[1] != E && !(tail[1] & 1))
#else
#define isUnneeded (recorded[E] && owner[0] != E && !(tail[0] & 1))
#endif

/* ---- Claims ---- */

#ifdef CLAIM_WITHOUT_RECORD
#define mayClaim(me, db) (owner[db] < me && condemned[owner[db]])
#else
#define mayClaim(me, db) (owner[db] < me && recorded[owner[db]])
#endif
#ifdef TERM_NOT_RAISED
#define NEXT_TERM(of) of
#else
#define NEXT_TERM(of) (of + 1)
#endif
#ifdef CLAIM_WITHOUT_RECORD
#define extended(claimTail, from) (recorded[from] -> (claimTail | (1 << from)) : claimTail)
#else
#define extended(claimTail, from) (claimTail | (1 << from))
#endif

/* Serving begins: what the claimant restores must be the whole history. */
inline serve(me, db) {
  lastServed[db] = me;
  restore(me, db);
  OF(serving, me, db) = 1;
  OF(handed, me, db) = last;
  OF(durable, me, db) = last;
  OF(known, me, db) = generation[db];
  OF(termOf, me, db) = term[db];
  witness(ACKNOWLEDGED_IS_SERVED, last > generation[db] && OF(durable, E, db) > 0);
  witness(STORED_UNACKNOWLEDGED_IS_KEPT, tail[db] == 1 && last > OF(durable, E, db));
  witness(ABOVE_THE_SEAL_IS_GONE, tail[db] == 1 && last < OF(handed, E, db) && recordTo[E] + 1 < next_[E] &&
    LOG(E, recordTo[E] + 1) == OBJECT);
  witness(SERVED_FROM_A_DELETED_LOG, last > generation[db] && mark[E] > 0 && LOG(E, 0) == EMPTY);
  witness(SERVED_FROM_A_PACK, recordPack && recordFrom[E] && last > generation[db] && LOG(E, 0) == EMPTY);
  witness(SECOND_SUCCESSOR_SERVES, tail[db] == 3 && acknowledged[R] > 0 && OF(durable, R, db) == last)
}

/* ---- The nodes ---- */

#define IDLE 0
#define CONDEMN 1
#define WALK 2
#define PLACE_SEAL 3
#define RECORD 4
#define CLAIM 5
#define LOOK_BEYOND 6
#define LOOK_AGAIN 7

#define EACH_POSITION(step) step(0) step(1) step(2) step(3)
#define REACH(p) :: d_step { reaches(me, p) -> LOG(me, p) = OBJECT }
#define LEARN(p) :: d_step { learns(me, p) -> learn(me, p) }
#define DELETE(p) :: d_step { me == E && mayDelete(p) -> LOG(E, p) = EMPTY }
#define COLLECT(p) :: d_step { me == S && isUnneeded && isCollected(p) -> LOG(E, p) = EMPTY }

#define ownsSome(e) (owner[0] == e || owner[DATABASES - 1] == e)

proctype Node(byte me) {
  byte doing = IDLE;
  byte from; /* the epoch that is being ended, or claimed from */
  byte low;  /* the mark that was read */
  byte p;    /* where the walk stands */
  byte db;
  byte claimGeneration;
  byte claimTail;
  byte claimTerm;

end:
  do
  /* Writing. */
  :: d_step { mayWrite(me) && mayCommit(me, 0) -> commit(me, 0); send(me) }
#if DATABASES > 1
  :: d_step { mayWrite(me) && mayCommit(me, 1) -> commit(me, 1); send(me) }
  :: d_step { mayWrite(me) && mayCommit(me, 0) && mayCommit(me, 1) -> commit(me, 0); commit(me, 1); send(me) }
#endif
  EACH_POSITION(REACH)
  EACH_POSITION(LEARN)

  /* Folding. */
  :: d_step { mayFold(me, 0) -> fold(me, 0) }
  :: d_step { swings(me, 0) -> swingManifest(me, 0) }
  :: d_step { learnsSwing(me, 0) -> adoptSwing(me, 0) }
#if DATABASES == 1
  :: d_step { me == E && OF(swing, E, 0) && !late -> late = OF(swing, E, 0); OF(swing, E, 0) = 0 }
  :: d_step {
      me == E && lateSwings ->
#ifdef GIVEN_UP_FOLD_FORGETS
      forgotten = late;
#endif
      generation[0] = late;
      tail[0] = 0
    }
  :: d_step { me == E && isOutdated -> adoptSwing(E, 0) }
#endif
#if DATABASES > 1
  :: d_step { mayFold(me, 1) -> fold(me, 1) }
  :: d_step { swings(me, 1) -> swingManifest(me, 1) }
  :: d_step { learnsSwing(me, 1) -> adoptSwing(me, 1) }
#endif

#ifdef WITNESS
  :: d_step {
      me == E && OF(swing, E, 0) && owner[0] != E && lastServed[0] != E -> witness(STALE_FOLD_LOSES, true)
    }
#endif

  /* The engine process of database 0 is killed; the database is restored in the same epoch. */
#ifdef REOPEN_BEFORE_RESOLVED
  :: d_step { me == E && !restoring[0] && !fenced[E] -> restoring[0] = OF(known, E, 0) + 1 }
#else
  :: d_step {
      me == E && !restoring[0] && !fenced[E] && OF(handed, E, 0) == OF(durable, E, 0) && OF(durable, E, 0) > 0 ->
      restoring[0] = OF(known, E, 0) + 1
    }
#endif
  :: d_step {
      me == E && restoring[0] ->
      start = restoring[0] - 1;
      last = start;
      pack = packed;
      spot = 0;
      do
#ifdef GIVEN_UP_FOLD_FORGETS
      :: spot < acknowledged[E] && owner[0] == E && (CONTENT(E, spot, 0) >> 1) <= forgotten -> spot++
      :: spot < acknowledged[E] && owner[0] == E && (CONTENT(E, spot, 0) >> 1) > forgotten ->
#else
      :: spot < acknowledged[E] && owner[0] == E ->
#endif
        restoreFragment(E, spot, 0);
        spot++
      :: else -> break
      od;
      restoring[0] = 0;
#ifdef REOPEN_BEFORE_RESOLVED
      OF(handed, E, 0) = OF(durable, E, 0);
      variant[0] = 1
#else
      assert(owner[0] != E || last == OF(durable, E, 0)) /* invariant: every acknowledged commit is restored */
#endif
    }
  /* The same for a successor, in one step. */
  :: d_step { me != E && OF(serving, me, 0) && OF(handed, me, 0) == OF(durable, me, 0) ->
      assert(owner[0] == me || me != S); /* invariant: an owner is replaced only after its epoch was ended */
      if
      :: owner[0] == me -> restore(me, 0)
      :: else
      fi
    }

  /* Mark and deletion. */
  :: d_step {
      me == E && markSent == mark[E] && acknowledged[E] > markSent ->
      lowestNeeded();
      if
      :: spot > markSent -> markSent = spot; packSent = packed
      :: else
      fi
    }
  :: d_step {
      me == E && !condemned[E] && markSent > mark[E] ->
      mark[E] = markSent;
#ifndef PACK_NOT_NAMED
      packNamed = packSent
#endif
    }
#if PACKS
  /* A pack is stored, unless a restore is under way, which goes on reading where it began. */
  :: d_step { me == E && mayPack && acknowledged[E] > packed -> packed = acknowledged[E] }
#ifdef MARK_BEFORE_PACK
  :: d_step {
      me == E && mayPack && markSent == mark[E] && acknowledged[E] > markSent ->
      markSent = acknowledged[E]; packSent = packed
    }
#endif
#endif
  EACH_POSITION(DELETE)

  /* A clean end. */
  :: d_step { me == E && !ending && !fenced[E] && acknowledged[E] == next_[E] -> ending = 1 }
  :: d_step { me == E && ending && LOG(E, next_[E]) == EMPTY -> LOG(E, next_[E]) = SEAL }
  :: d_step {
      me == E && ending && LOG(E, next_[E]) == SEAL && !recorded[E] ->
      lowestNeeded();
      recorded[E] = 1;
      recordFrom[E] = spot;
      recordTo[E] = next_[E];
      recordPack = packed
    }

  /* Ending another epoch. */
  :: atomic {
      if
      :: me != E && doing == IDLE && !recorded[E] && ownsSome(E) -> from = E
      :: me == S && doing == IDLE && !recorded[R] && ownsSome(R) -> from = R
      fi;
      low = mark[from];
      doing = CONDEMN
    }
  :: d_step {
      doing == CONDEMN ->
      if
#ifdef CONDEMN_UNCONDITIONAL
      :: !condemned[from] -> condemned[from] = 1; mark[from] = low
#else
      :: !condemned[from] && mark[from] == low -> condemned[from] = 1
#endif
      :: else -> low = mark[from]
      fi;
      if
      :: condemned[from] ->
#ifdef WALK_ABOVE_MARK
        low++;
#endif
        p = low;
        doing = WALK
      :: else
      fi
    }
  :: d_step {
      doing == WALK ->
      if
      :: p < SLOTS && LOG(from, p) == OBJECT -> p++
#ifdef SEAL_TAKEN_FOR_HOLE
      :: p < SLOTS && LOG(from, p) == SEAL -> p++
#else
      :: p < SLOTS && LOG(from, p) == SEAL -> doing = RECORD
#endif
      :: p < SLOTS && LOG(from, p) == EMPTY -> doing = LOOK_BEYOND
      :: p >= SLOTS -> doing = RECORD
      fi
    }
  /* Something so far above a missing position proves that the store lost it. The model's store loses nothing. */
  :: d_step {
      doing == LOOK_BEYOND ->
      spot = p + IN_FLIGHT;
      do
      :: spot < SLOTS && LOG(from, spot) == EMPTY -> spot++
      :: else -> break
      od;
      doing = (spot < SLOTS -> LOOK_AGAIN : PLACE_SEAL)
    }
  :: d_step {
      doing == LOOK_AGAIN ->
#ifndef NO_SECOND_LOOK
      if
      :: LOG(from, p) != EMPTY -> doing = PLACE_SEAL
      :: else ->
#endif
        assert(recorded[from]); /* invariant: a sound log is not taken for a damaged one */
        doing = IDLE; from = 0; low = 0; p = 0
#ifndef NO_SECOND_LOOK
      fi
#endif
    }
  :: d_step {
      doing == PLACE_SEAL ->
#ifdef SKIP_SEAL
      doing = RECORD
#else
      if
      :: LOG(from, p) == EMPTY -> LOG(from, p) = SEAL; doing = RECORD
      :: else -> doing = WALK
      fi
#endif
    }
  :: d_step {
      doing == RECORD ->
#ifdef RECORD_OVERWRITTEN
      if
      :: recorded[from] -> assert(recordFrom[from] == low && recordTo[from] == p) /* invariant: a record is final */
      :: else
      fi;
      recorded[from] = 1; recordFrom[from] = low; recordTo[from] = p;
#else
      if
      :: !recorded[from] ->
        recorded[from] = 1; recordFrom[from] = low; recordTo[from] = p;
        if
        :: from == E -> recordPack = packNamed
        :: else
        fi
      :: else
      fi;
#endif
      doing = IDLE; from = 0; low = 0; p = 0
    }

  /* Claiming. */
  :: atomic {
      if
      :: doing == IDLE && mayClaim(me, 0) -> db = 0
#if DATABASES > 1
      :: doing == IDLE && mayClaim(me, 1) -> db = 1
#endif
      fi;
      d_step {
        from = owner[db]; claimGeneration = generation[db]; claimTail = tail[db]; claimTerm = term[db];
        doing = CLAIM
      }
    }
  :: d_step {
      doing == CLAIM ->
#if !defined(CLAIM_UNCONDITIONAL)
      if
      :: owner[db] == from && generation[db] == claimGeneration ->
#endif
        owner[db] = me;
        term[db] = NEXT_TERM(claimTerm);
        generation[db] = claimGeneration;
        tail[db] = extended(claimTail, from);
#if !defined(CLAIM_UNCONDITIONAL)
      :: else
      fi;
#endif
      doing = IDLE; from = 0; db = 0; claimGeneration = 0; claimTail = 0; claimTerm = 0
    }
#ifdef CLAIM_REPEATED
  /* The answer to a claim is lost; the claim is made again with what was computed before, on whatever stands there. */
  :: d_step {
      doing == CLAIM && owner[db] != from ->
      owner[db] = me;
      term[db] = NEXT_TERM(term[db]);
      generation[db] = claimGeneration;
      tail[db] = extended(claimTail, from);
      doing = IDLE; from = 0; db = 0; claimGeneration = 0; claimTail = 0; claimTerm = 0
    }
  :: d_step {
      doing == CLAIM && owner[db] == from && generation[db] == claimGeneration ->
      owner[db] = me;
      term[db] = NEXT_TERM(claimTerm);
      tail[db] = extended(claimTail, from)
    }
#endif
  :: d_step { me != E && owner[0] == me && !OF(serving, me, 0) -> serve(me, 0) }
#if DATABASES > 1
  :: d_step { me != E && owner[1] == me && !OF(serving, me, 1) -> serve(me, 1) }
#endif

  /* Collecting an ended log. */
  EACH_POSITION(COLLECT)
  od
}

init {
  d_step {
    each = 0;
    do
    :: each < DATABASES -> term[each] = 1; OF(termOf, E, each) = 1; OF(serving, E, each) = 1; each++
    :: else -> break
    od
  };
  atomic {
    run Node(E);
#if SUCCESSORS > 1
    run Node(R);
#endif
    run Node(S)
  }
}
