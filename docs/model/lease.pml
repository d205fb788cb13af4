/*
 * Model of the lease: a node that stalls must not answer from its own past after a successor has claimed its databases.
 *
 * Time is a step like any other, and every age is counted in ticks up to one more than the longest that anybody asks
 * about, so the search has no bound in time. Only the order of the numbers matters: the margin is what two clocks may
 * drift apart in a lease.
 *
 * README.md beside this file says what is left out, what is asserted, and what the -D switches break.
 */

#define LEASE 6
#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN 2
#endif
#define DRIFT 1 /* a clock may lose or gain this much in a lease */
#define OLD (LEASE + DRIFT + 1)

/* The node record in the store. */
bit condemned;
bit claimed; /* some database of the node has been claimed by a successor */

/* The node. */
byte sinceRenewed;   /* since before its last renewal that took effect was sent */
bit renewing;        /* a renewal was sent and its outcome is not known yet */
bit renewed;         /* it took effect */
byte sinceFirstSent; /* since before it was sent first */
byte sinceLastSent;  /* since it was sent again */
bit suspended;       /* the monotonic clock stands still while the machine does */
bit stepped;         /* the wall clock was set back */
bit checked;         /* only for a breakage: the lease was valid when last looked at */

/* The observer, which becomes the successor. Versions of the record are compared, never counted. */
byte asking;         /* 0 no, 1 the read is on its way, 2 its answer is */
byte sinceAsked;
bit answerIsSeen;    /* the answer shows the version that was seen before */
bit answerIsCurrent; /* the record still has the version that the answer shows */
bit hasSeen;
bit seenIsCurrent;   /* the record still has the version that was seen */
byte sinceSeen;      /* since the answer came that showed this version first */

#ifdef WITNESS
#define witness(name, condition) assert(!(WITNESS == name && (condition)))
#else
#define witness(name, condition) skip
#endif
#define CLAIMED_AFTER_RENEWALS 1
#define ANSWERED_AT_THE_LAST_MOMENT 2
bit hasRenewed;

#define older(age) age = (age < OLD -> age + 1 : OLD)
#define slow(age) (age > DRIFT -> age - DRIFT : 0)
#define fast(age) (age + DRIFT)

/* The elapsed time as the node measures it at worst. One of its two clocks can fail, not both. */
#if defined(MONOTONIC_CLOCK_ONLY)
#define measured (suspended -> 0 : slow(sinceRenewed))
#elif defined(WALL_CLOCK_ONLY)
#define measured (stepped -> 0 : slow(sinceRenewed))
#else
#define measured (suspended && stepped -> 0 : slow(sinceRenewed))
#endif
#define isLeased (measured < LEASE - MARGIN)

active proctype Time() {
end:
  do
  :: d_step {
      true ->
      older(sinceRenewed);
      older(sinceFirstSent);
      older(sinceLastSent);
      older(sinceAsked);
      older(sinceSeen)
    }
  :: d_step { !suspended && !stepped -> suspended = 1 }
  :: d_step { !suspended && !stepped -> stepped = 1 }
  od
}

active proctype Node() {
end:
  do
  /* A beat. */
  :: d_step { !renewing -> renewing = 1; renewed = 0; sinceFirstSent = 0; sinceLastSent = 0 }
  :: d_step { renewing -> sinceLastSent = 0 }
#ifdef RENEW_UNCONDITIONAL
  :: d_step { renewing && !renewed -> renewed = 1; seenIsCurrent = 0; answerIsCurrent = 0 }
#else
  :: d_step { renewing && !renewed && !condemned -> renewed = 1; seenIsCurrent = 0; answerIsCurrent = 0 }
#endif
  :: d_step {
      renewing && renewed ->
#if defined(LEASE_FROM_ANSWER)
      sinceRenewed = 0;
#elif defined(LEASE_FROM_RETRY)
      sinceRenewed = sinceLastSent;
#else
      sinceRenewed = sinceFirstSent;
#endif
#ifdef WITNESS
      hasRenewed = 1;
#endif
      renewing = 0;
      renewed = 0
    }

  /* An answer passes the gate. */
#ifdef CHECK_BEFOREHAND
  :: d_step { isLeased -> checked = 1 }
  :: d_step { checked -> checked = 0; assert(!claimed) /* invariant: no answer of a replaced node */ }
#else
  :: d_step {
      isLeased ->
      assert(!claimed); /* invariant: no answer of a replaced node */
      witness(ANSWERED_AT_THE_LAST_MOMENT, hasRenewed && sinceRenewed == LEASE - MARGIN)
    }
#endif
  od
}

active proctype Observer() {
end:
  do
  :: d_step { asking == 0 -> asking = 1; sinceAsked = 0 }
  :: d_step { asking == 1 -> asking = 2; answerIsSeen = hasSeen && seenIsCurrent; answerIsCurrent = 1 }
  :: d_step {
      asking == 2 ->
      if
      :: !answerIsSeen ->
        hasSeen = 1;
        seenIsCurrent = answerIsCurrent;
#ifdef OBSERVED_FROM_SENDING
        sinceSeen = sinceAsked
#else
        sinceSeen = 0
#endif
      :: else
      fi;
      asking = 0;
      answerIsSeen = 0;
      answerIsCurrent = 0
    }
  /* Condemns what has not changed for a lease. */
#ifdef CONDEMN_EARLY
  :: d_step { hasSeen && seenIsCurrent && !condemned -> condemned = 1; seenIsCurrent = 0; answerIsCurrent = 0 }
#elif defined(CONDEMN_UNCONDITIONAL)
  :: d_step {
      hasSeen && fast(sinceSeen) >= LEASE && !condemned -> condemned = 1; seenIsCurrent = 0; answerIsCurrent = 0
    }
#else
  :: d_step {
      hasSeen && fast(sinceSeen) >= LEASE && seenIsCurrent && !condemned ->
      condemned = 1;
      seenIsCurrent = 0;
      answerIsCurrent = 0
    }
#endif
#ifdef CLAIM_WITHOUT_CONDEMNING
  :: d_step { hasSeen && fast(sinceSeen) >= LEASE && seenIsCurrent && !claimed -> claimed = 1 }
#else
  :: d_step {
      condemned && !claimed ->
      witness(CLAIMED_AFTER_RENEWALS, hasRenewed);
      claimed = 1
    }
#endif
  od
}
