/*
 * Model of a log in three zones: one epoch E writes, two recoverers end it at the same time, one zone may be lost, and
 * may be replaced by an empty one.
 *
 * Every branch is one step that changes one object in one zone at most, and any step of any process may come next, or
 * never. So a zone that one process cannot reach, while others can, is a process that takes no step there.
 *
 * README.md beside this file says what is left out, what is asserted, and what the -D switches break.
 */

/* Bounds. */
#ifndef POSITIONS
#define POSITIONS 2 /* entries that E may write; a seal can stand one higher */
#endif
#ifndef IN_FLIGHT
#define IN_FLIGHT 2 /* a position is sent only when the one this far below is stored */
#endif
#ifndef RECOVERERS
#define RECOVERERS 2
#endif
#ifndef REPLACEMENT
#define REPLACEMENT 1 /* 1: the zone that was lost may come back as an empty one */
#endif

#define SLOTS (POSITIONS + 1)
#define ZONES 3
#define LOST 2 /* the zone that may be lost: which one makes no difference */

#define EMPTY 0
#define ENTRY 1
#define SEAL 2

/* ---- The zones. ---- */
byte log_[ZONES * SLOTS];
byte loss; /* 0 all zones are there, 1 one is gone, 2 it was replaced by an empty one */

/* ---- The data store. ---- */
bit condemned;
byte mark;
bit recorded;
byte recordFrom; /* the record: the entries at recordFrom ... recordTo - 1 */
byte recordTo;
byte copies;     /* bit p: position p was copied */
bit unneeded;    /* nothing refers to the ended log any more */

/* ---- What E knows. ---- */
byte next_;
byte acknowledged;  /* positions below are acknowledged */
byte held[ZONES];   /* bit p: position p was created in this zone, which may have told E */
bit ending;

#ifdef WITNESS
#define witness(name, condition) assert(!(WITNESS == name && (condition)))
#else
#define witness(name, condition) skip
#endif
#define LONE_ENTRY_RECORDED 1
#define LONE_ENTRY_DROPPED 2
#define ACKNOWLEDGED_AFTER_THE_RECORD 3
#define ENDED_WITHOUT_A_ZONE 4
#define OTHER_VIEW_ADOPTED 5
#define ENDED_BESIDE_A_REPLACED_ZONE 6
#define SERVED_FROM_A_COPY 7

/* Scratch of one step; part of a state only in a breadth-first search, which spin does not offer without. */
#ifdef BREADTH_FIRST
#define SCRATCH
#else
#define SCRATCH hidden
#endif
SCRATCH byte each;

#define LOG(z, p) log_[(z) * SLOTS + (p)]
#define isThere(z) ((z) != LOST || loss != 1)
/* E knows the zones by their places, and the empty zone has another one. */
#ifdef REPLACED_IN_ITS_PLACE
#define isReached(z) isThere(z)
#else
#define isReached(z) ((z) != LOST || loss == 0)
#endif
/* It holds position 0 of the epoch, so it takes part. */
#define isOld(z) ((z) != LOST || loss == 0)
#define has(z, p) (isThere(z) && LOG(z, p) == ENTRY)
#define entries(p) (has(0, p) + has(1, p) + has(2, p))
#define confirmations(p) (((held[0] >> (p)) & 1) + ((held[1] >> (p)) & 1) + ((held[2] >> (p)) & 1))
#define ones(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1))

#ifdef ACKNOWLEDGE_ON_ONE
#define ENOUGH 1
#else
#define ENOUGH 2
#endif
#ifdef SEAL_IN_ONE
#define ENOUGH_SEALS 1
#else
#define ENOUGH_SEALS 2
#endif

/* Every entry of the record, or of a living log from the mark on, outlives the loss of the zone that can be lost. */
inline assertReadable(from, to) {
  each = from;
  do
  :: each < to ->
    assert((copies & (1 << each)) || has(0, each) || has(1, each)); /* invariant: what counts can be read without the lost zone */
    each++
  :: else -> break
  od;
  each = 0
}

/* ---- E ---- */

#ifdef TOO_MANY_IN_FLIGHT
#define hasRoom (next_ < POSITIONS)
#else
#define hasRoom (next_ < POSITIONS && next_ < acknowledged + IN_FLIGHT)
#endif

/* A create reaches a zone: the first time, late, or again. */
#ifdef ENTRY_OVER_SEAL
#define isFree(z, p) (LOG(z, p) != ENTRY)
#else
#define isFree(z, p) (LOG(z, p) == EMPTY)
#endif
#define REACH(z, p) \
  :: d_step { \
      p < next_ && isReached(z) && isFree(z, p) -> LOG(z, p) = ENTRY; held[z] = held[z] | (1 << p) \
    }

#ifdef REFUSAL_TAKEN_FOR_CONFIRMATION
#define REFUSED(z, p) \
  :: d_step { p < next_ && isReached(z) && LOG(z, p) == SEAL && !((held[z] >> p) & 1) -> held[z] = held[z] | (1 << p) }
#endif

#ifdef DELETE_BEFORE_MARK
#define deletedBelow acknowledged
#else
#define deletedBelow mark
#endif
#define DELETE(z) \
  :: d_step { \
      isReached(z) && deletedBelow > 0 && has(z, deletedBelow - 1) -> \
      each = 0; \
      do \
      :: each < deletedBelow -> LOG(z, each) = EMPTY; each++ \
      :: else -> break \
      od; \
      each = 0 \
    }

#define EACH_ZONE(step) step(0) step(1) step(2)
#if POSITIONS == 1
#define EACH(step) step(0, 0) step(1, 0) step(2, 0)
#elif POSITIONS == 2
#define EACH(step) step(0, 0) step(1, 0) step(2, 0) step(0, 1) step(1, 1) step(2, 1)
#else
#define EACH(step) \
  step(0, 0) step(1, 0) step(2, 0) step(0, 1) step(1, 1) step(2, 1) step(0, 2) step(1, 2) step(2, 2)
#endif

/* Its own seal. */
#define END(z) :: d_step { ending && isReached(z) && LOG(z, next_) == EMPTY -> LOG(z, next_) = SEAL }

proctype Writer() {
end:
  do
  :: d_step { hasRoom && !ending -> next_++ }
  EACH(REACH)
  /* The answers of two zones have come. */
  :: d_step {
      acknowledged < next_ && confirmations(acknowledged) >= ENOUGH ->
      assert(!recorded || acknowledged < recordTo); /* invariant: nothing is acknowledged that the record does not have */
      witness(ACKNOWLEDGED_AFTER_THE_RECORD, recorded && acknowledged >= recordFrom);
      acknowledged++
    }
#ifdef REFUSAL_TAKEN_FOR_CONFIRMATION
  EACH(REFUSED)
#endif
  /* Folded, so that the mark may rise: If-Match on the node record. */
  :: d_step { !condemned && !ending && mark < acknowledged -> mark++ }
  EACH_ZONE(DELETE)
#ifdef RECORD_BEFORE_ALL_IS_STORED
  :: d_step { !ending -> ending = 1 }
#else
  :: d_step { !ending && acknowledged == next_ -> ending = 1 }
#endif
  EACH_ZONE(END)
  :: d_step {
      ending && !recorded && ((LOG(0, next_) == SEAL) + (LOG(1, next_) == SEAL) + (LOG(2, next_) == SEAL) >= 2) ->
      recorded = 1; recordFrom = mark; recordTo = next_;
      assertReadable(recordFrom, recordTo)
    }
  od
}

/* ---- A recoverer ---- */

#define IDLE 0
#define WALK 1
#define COPY 2
#define RECORD 3

/* It finds an entry, whatever the other zones hold. */
#define KEEP(z) \
  :: d_step { \
      doing == WALK && p < POSITIONS && has(z, p) -> \
      pending = pending | (1 << p); \
      p++; sealed = 0; looked = 0; proven = 0 \
    }
/*
 * It creates a seal, or finds one, and then sees that the zone takes part. Together one step, because what happens in
 * between can only make a zone stop to take part.
 */
#ifdef SEAL_TAKEN_WITHOUT_CREATING
#define createSeal(z) skip
#else
#define createSeal(z) LOG(z, p) = SEAL
#endif
#ifdef REPLACED_ZONE_COUNTS
#define takesPart(z) true
#elif defined(PART_CHECKED_FIRST)
#define takesPart(z) ((part >> z) & 1)
#define CHECK(z) :: d_step { doing == WALK && isThere(z) && isOld(z) && !((part >> z) & 1) -> part = part | (1 << z) }
#else
#define takesPart(z) isOld(z)
#endif
#define PLACE_SEAL(z) \
  :: d_step { \
      doing == WALK && isThere(z) && LOG(z, p) != ENTRY && !((sealed >> z) & 1) && (LOG(z, p) == EMPTY || takesPart(z)) -> \
      createSeal(z); \
      sealed = sealed | (takesPart(z) << z) \
    }
/* It sees no entry in a zone; two such answers, and an entry far above, look like a loss. */
#define LOOK(z) \
  :: d_step { \
      doing == WALK && p + IN_FLIGHT < POSITIONS && isThere(z) && isOld(z) && LOG(z, p) != ENTRY && \
      !((looked >> z) & 1) && ones(looked) < 2 -> \
      looked = looked | (1 << z) \
    }
#ifdef SEAL_ABOVE_PROVES_LOSS
#define provesLoss(z, q) (isThere(z) && LOG(z, q) != EMPTY)
#else
#define provesLoss(z, q) has(z, q)
#endif

proctype Recoverer() {
  byte doing = IDLE;
  byte low;
  byte p;
  byte sealed;  /* bit z: a seal was seen at p in zone z, which takes part */
#ifdef PART_CHECKED_FIRST
  byte part;    /* bit z: the zone was seen to take part, some time ago */
#endif
  byte looked;  /* bit z: no entry was seen at p in zone z */
  bit proven;   /* an entry was seen that proves that p was stored */
  byte pending; /* bit p: kept, and not known to be in two zones, or copied */

end:
  do
  :: d_step { doing == IDLE && !recorded -> condemned = 1; low = mark; p = mark; doing = WALK }
  EACH_ZONE(KEEP)
  /* Seen in two zones. */
  :: d_step {
      doing == WALK && p < POSITIONS && entries(p) >= 2 ->
      p++; sealed = 0; looked = 0; proven = 0
    }
  EACH_ZONE(PLACE_SEAL)
#ifdef PART_CHECKED_FIRST
  EACH_ZONE(CHECK)
#endif
  :: d_step {
#ifdef ENTRY_BESIDE_SEAL_DROPPED
      doing == WALK && (ones(sealed) >= ENOUGH_SEALS || (sealed && p < POSITIONS && entries(p) > 0)) ->
#else
      doing == WALK && ones(sealed) >= ENOUGH_SEALS ->
#endif
      sealed = 0; looked = 0; proven = 0;
#ifdef NO_COPIES
      pending = 0;
#endif
#ifdef RECORD_BEFORE_COPIES
      doing = RECORD
#else
      doing = COPY
#endif
    }
  EACH_ZONE(LOOK)
  :: d_step {
      doing == WALK && ones(looked) == 2 && !proven && p + IN_FLIGHT < POSITIONS &&
      (provesLoss(0, p + IN_FLIGHT) || provesLoss(1, p + IN_FLIGHT) || provesLoss(2, p + IN_FLIGHT)) ->
      proven = 1;
#ifndef NO_SECOND_LOOK
      looked = 0
#endif
    }
  :: d_step {
      doing == WALK && proven && ones(looked) == 2 ->
      assert(recorded); /* invariant: a sound log is not taken for a damaged one */
      doing = IDLE; low = 0; p = 0; sealed = 0; looked = 0; proven = 0; pending = 0
    }

  :: d_step {
      doing == COPY && pending ->
      each = 0;
      do
      :: !((pending >> each) & 1) -> each++
      :: else -> break
      od;
      if
      :: entries(each) > 0 -> copies = copies | (1 << each); pending = pending & ~(1 << each)
      :: else -> doing = IDLE; low = 0; p = 0; pending = 0 /* lost meanwhile: once more from the mark */
      fi
    }
  :: d_step { doing == COPY && !pending -> doing = RECORD }
  :: d_step {
      doing == RECORD ->
#ifndef RECORD_OVERWRITTEN
      if
      :: !recorded ->
#else
        assert(!recorded || (recordFrom == low && recordTo == p)); /* invariant: a record is final */
#endif
        recorded = 1; recordFrom = low; recordTo = p;
        assert(acknowledged <= recordTo); /* invariant: every acknowledged entry is in the record */
        assertReadable(recordFrom, recordTo);
        witness(LONE_ENTRY_RECORDED, p > 0 && p > low && entries(p - 1) == 1 && LOG(0, p - 1) == SEAL);
        witness(LONE_ENTRY_DROPPED, p < POSITIONS && entries(p) == 1);
        witness(ENDED_WITHOUT_A_ZONE, loss == 1 && acknowledged > low);
        witness(ENDED_BESIDE_A_REPLACED_ZONE, loss == 2 && acknowledged > low);
        witness(SERVED_FROM_A_COPY, loss == 1 && p > low && entries(low) == 0)
#ifndef RECORD_OVERWRITTEN
      :: else -> witness(OTHER_VIEW_ADOPTED, recordTo != p)
      fi
#endif
      ;
#ifdef RECORD_BEFORE_COPIES
      doing = (pending -> COPY : IDLE);
#else
      doing = IDLE;
#endif
      low = 0; p = 0
    }
  od
}

/* ---- Everything else ---- */

#ifdef SEAL_COLLECTED
#define isCollected(p) true
#else
#define isCollected(p) (p != recordTo)
#endif
#define COLLECT(z) \
  :: d_step { \
      unneeded && isThere(z) && !((collected >> z) & 1) -> \
      collected = collected | (1 << z); \
      each = 0; \
      do \
      :: each < SLOTS && isCollected(each) -> LOG(z, each) = EMPTY; each++ \
      :: each < SLOTS && !isCollected(each) -> each++ \
      :: else -> break \
      od; \
      each = 0 \
    }

proctype World() {
  byte collected; /* bit z: the ended log was deleted in this zone */

end:
  do
  :: d_step {
      loss == 0 ->
      loss = 1;
      if
      :: recorded && !unneeded -> assertReadable(recordFrom, recordTo)
      :: !recorded -> assertReadable(mark, acknowledged)
      :: else
      fi;
      each = 0;
      do
      :: each < SLOTS -> LOG(LOST, each) = EMPTY; each++
      :: else -> break
      od;
      each = 0
    }
#if REPLACEMENT
  :: d_step { loss == 1 -> loss = 2 }
#endif
  :: d_step { recorded && !unneeded -> unneeded = 1 }
  EACH_ZONE(COLLECT)
  od
}

init {
  atomic {
    run Writer();
    run Recoverer();
#if RECOVERERS > 1
    run Recoverer();
#endif
    run World()
  }
}
