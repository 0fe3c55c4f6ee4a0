/*
 * The protocol of one partition, for exhaustive search with spin: how versions are assigned, how a loss of data is noticed, how
 * relays repair what signals lose, and how clients resume. `spin.ts` runs it; `-DDROP_…` leaves a rule out.
 *
 * One topic matters. Webhook ONE publishes it; webhook TWO publishes another topic of the partition, which only moves `last`.
 * Two servers, one of them the master; two relays; one client, which may change relays. A script is atomic, as in Redis.
 *
 * Left out, and why: pacing and transports (they decide when a client is notified, not whether), partitions (they share nothing), and
 * a connection that loses the signals of one topic alone (the audit finds it within a minute, which is not the bound that is
 * searched here).
 *
 * With MARKERS, a relay probes first, as it does while nothing is lost, and only then requests a digest: signals are first in, first out
 * on each connection, and if one is lost, so are all that follow, until the connection is replaced; a replica passes on the signals of
 * its master, and may lose some by a full resynchronization. Without MARKERS, relays only request digests, and any signal may be lost.
 *
 * With RETENTION, half the retention may pass: the base rises, which is the version of a topic without a register, and registers from
 * before the base that was replaced expire.
 *
 * With LIVENESS, the search is for endless runs. The step that stands for two intervals is left out; the loops of relays are processes
 * of their own, so that weak fairness makes each go on, and faults end, also those of signals. Without it, what a relay can do next is
 * one choice, and safety alone is searched.
 *
 * Versions are small numbers. A clock that is right is ahead of every assigned version; a clock that is behind is 0. Two servers never
 * assign the same version by their clocks, which stands for microseconds; what this may hide is what the rule JUMP is for.
 */

#ifndef PUBLISHES
#define PUBLISHES 2 /* calls of webhook ONE */
#endif
#ifndef OTHERS
#define OTHERS 1 /* calls of webhook TWO */
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef MOVES
#define MOVES 1 /* how often the client changes relays */
#endif
#ifndef LOST_SIGNALS
#define LOST_SIGNALS 1 /* 0: signals are lost with their connection only */
#endif

#define NONE 2 /* no server, or no relay */
#ifndef MAX_VERSION
#define MAX_VERSION 10
#endif
#ifndef RELAYS
#define RELAYS 2
#endif

typedef Meta {
  byte floor; byte last; byte epoch; byte raise; bool first; byte server; byte loads; byte promised; byte trimmed;
  byte topic; /* version of the register of the topic */
#ifdef RETENTION
  byte recent; /* version of the topic in the list of recent changes */
#endif
};

typedef Server {
  Meta data;
  byte id;          /* run id and replication id, as one number; runOf[] has the run id */
  byte loads;       /* how often this process loaded data */
  bool wasReplica;
  bool behind;      /* its clock */
  bool alive;
};

typedef Witness { byte epoch; byte seen; byte raise; bool tracksRaises; bool acknowledged; byte promised; };

typedef Relay {
  Witness witness;
  byte commands;  /* the server that its digests run on */
  byte signals;   /* the server that it subscribes at */
  byte floor; byte cursor; byte version; /* the topic's version here, of which clients were notified */
  byte stored;
#ifdef RETENTION
  byte base; byte retained; byte asBase; byte asRetained;
#endif
  byte stage;     /* of the topic on this connection: 0 not watched, 1 watched and to be read, 2 read */
  bool loaded;    /* whether digests keep the topic current, also while it is watched again */
  bool asked; bool complete; byte listed; bool isMaster; /* a digest that was answered and not applied */
  byte asFloor; byte asRaise; byte asEpoch; byte asLast;
  byte asCovers;  /* ghost: the newest content that was acknowledged, and could be known, when the digest ran */
  byte covers;    /* ghost: the same for the last digest that was applied */
#ifdef MARKERS
  bool deaf;      /* the subscription carries no more signals */
  bool isListed;  /* changes were listed since the subscription was replaced */
  bool replaced;  /* the subscription was replaced since the digest or the probe was sent */
  byte probe;     /* 0 none, 1 sent, 2 answered, 3 its marker has arrived as well */
  byte number;    /* of its marker */
  byte ranOn;     /* the server that answered */
  byte from;      /* the server of the connection on which the marker is to arrive */
#endif
};

Server servers[2];
Relay relays[2];
byte master = 0;
bool isReplica = true; /* whether the other server follows the master; if not, it is a master that was replaced */

/* Whether a script can run: a replica refuses writes. */
#define CAN_RUN(s) (servers[s].alive && (s == master || !isReplica))

#ifdef RETENTION
/* By a clock that is right: when this half of the retention began, and when the one before did: older registers count as expired. */
byte base = 0; byte retained = 0;
byte expired = 0; /* registers up to this version are gone: their TTL is an hour longer */
#ifndef DROP_STALE
/* Within that hour, a fresh relay has proven every partition several times. */
#define IS_FRESH(r) (relays[r].retained >= expired)
#else
#define IS_FRESH(r) true
#endif
#define RECENT(s) servers[s].data.recent
#define RETAINED(r) relays[r].retained
#ifndef DROP_BASE
#define BASE(r) relays[r].base
#else
#define BASE(r) 0
#endif
#else
#define IS_FRESH(r) true
#define RECENT(s) servers[s].data.topic
#define RETAINED(r) 0
#define BASE(r) 0
#endif

byte runOf[8];
byte ids = 2;       /* next identity of a server */
byte runs = 2;      /* next run id */
byte raises = 1;    /* next name of a raise */
byte epochNone = 0;
byte newest = 0;    /* the newest version that was assigned anywhere */
int used = 0;       /* the versions that were assigned, as bits */

/* Ghosts. Content is numbered by the calls of webhook ONE: the app has saved it before it calls. */
byte written = 0;   /* the newest content */
byte acknowledged = 0;
byte knowable = 0;  /* the newest acknowledged content whose loss the current master can notice by itself, or was shown */

/* Webhook ONE. */
Witness one;
byte oneServer = 0;
byte oneLease = 0; /* the server that INFO named on the connection of webhook ONE a moment ago */
byte oneVersion = 0; byte oneEpoch = 0; byte oneContent = 0; bool oneOnMaster = false; /* a reply under way */
byte pendingEpoch = 0; /* of an acknowledgement that no other epoch was shown */

Witness two;
byte twoServer = 0;
byte twoLease = 0;

/* The client. */
byte at = NONE;
bool subscribed = false;
byte has = 0; byte knows = 0;

byte publishes = PUBLISHES;
byte others = OTHERS;
byte faults = FAULTS;
byte moves = MOVES;

/* Signals under way: an update (floor 0), a raise of the floor, or a marker (version and floor 0, and its number). */
#ifdef MARKERS
#define QUEUE 2
#else
#define QUEUE 1
#endif
chan signals0 = [QUEUE] of { byte, byte, byte };
chan signals1 = [QUEUE] of { byte, byte, byte };

#define ABOVE(a, b) ((a) > (b) -> (a) : (b))
#define IS_USED(v) ((used >> (v)) & 1)

byte v; byte w; byte f; byte n; bool lost; bool isSame; /* only used within atomic steps */

inline note(assigned) {
  used = used | (1 << (assigned));
  newest = ABOVE(newest, assigned);
#ifdef LIVENESS
  assert(newest < MAX_VERSION) /* an endless run assigns no more versions */
#else
  newest < MAX_VERSION /* not explored further */
#endif
}

#ifndef GAP
#define GAP 0 /* versions that a clock which is right leaves out, for one that is behind to assign */
#endif

/* The time of a server: right, or far in the past. */
#define NOW(s) (servers[s].behind -> 0 : newest + 1 + GAP)

/* Whether a relay subscribes to a signal: always to those of the floor, and to markers. */
#define IS_WATCHED(r, ofVersion) (ofVersion == 0 || relays[r].stage > 0)

/* With MARKERS, a connection may lose signals from any of them on; faults end in searches for endless runs. */
#ifdef LIVENESS
#define MAY_LOSE(queue) (full(queue) || faults > 0)
#define LOSE faults = (faults > 0 -> faults - 1 : 0)
#else
#define MAY_LOSE(queue) true
#define LOSE skip
#endif

inline emit(s, r, queue, aVersion, aFloor, aRaise) {
#ifdef MARKERS
  if
  :: r < RELAYS && relays[r].signals == s && !relays[r].deaf && IS_WATCHED(r, aVersion) && nfull(queue) -> queue ! aVersion, aFloor, aRaise
  :: r < RELAYS && relays[r].signals == s && !relays[r].deaf && IS_WATCHED(r, aVersion) && MAY_LOSE(queue) -> relays[r].deaf = true; LOSE
  :: r < RELAYS && relays[r].signals == 1 - s && isReplica && s == master && !relays[r].deaf && IS_WATCHED(r, aVersion) && nfull(queue) -> queue ! aVersion, aFloor, aRaise
  :: r >= RELAYS || relays[r].signals != s || relays[r].deaf || !IS_WATCHED(r, aVersion) -> skip
  fi
#else
  if
  :: relays[r].signals == s && IS_WATCHED(r, aVersion) && nfull(queue) && r < RELAYS -> queue ! aVersion, aFloor, aRaise
#if LOST_SIGNALS
  :: true -> skip
#else
  :: relays[r].signals != s || !IS_WATCHED(r, aVersion) -> skip
#endif
  fi
#endif
}

inline signal(s, ofVersion, ofFloor, ofRaise) {
  emit(s, 0, signals0, ofVersion, ofFloor, ofRaise);
  emit(s, 1, signals1, ofVersion, ofFloor, ofRaise);
}

/* epoch.lua. `n` is the time of the server. */
inline checkEpoch(s, claim) {
  n = NOW(s);
  isSame = servers[s].data.server == servers[s].id;
#ifndef DROP_REPLID
  if
  :: !isSame && servers[s].data.server != 0 && runOf[servers[s].data.server] == runOf[servers[s].id] && !servers[s].wasReplica && servers[s].data.loads == servers[s].loads ->
    servers[s].data.server = servers[s].id;
    isSame = true
  :: else
  fi;
#endif
  lost = false;
  if
  :: claim.epoch == 0 -> skip
#ifndef DROP_FIRST
  :: claim.epoch != 0 && servers[s].data.first && claim.epoch != servers[s].data.epoch -> lost = true
#endif
  :: else ->
    if
#ifndef DROP_SEEN
    :: servers[s].data.last < claim.seen -> lost = true
#endif
    :: else ->
      if
      :: claim.tracksRaises && claim.raise != 0 ->
#ifndef DROP_RAISE_NAME
        lost = claim.raise != servers[s].data.raise && servers[s].data.floor <= claim.seen
#else
        skip
#endif
      :: else ->
        if
        :: claim.epoch != servers[s].data.epoch ->
#ifndef DROP_SPLIT_BRAIN
          lost = servers[s].data.floor < claim.seen || claim.acknowledged
#else
          skip
#endif
        :: else ->
#ifndef DROP_PROMISED
          lost = servers[s].data.floor < claim.promised && servers[s].data.promised < claim.promised
#else
          skip
#endif
        fi
      fi
    fi
  fi;
#ifdef DROP_EPOCH
  isSame = servers[s].data.server != 0;
#endif
#ifdef NO_NEEDLESS_RAISE
  assert(isSame || runOf[servers[s].data.server] != runOf[servers[s].id]); /* no client fetches for nothing */
  assert(!lost || !isSame || servers[s].data.first);
#endif
  if
  :: !isSame || lost ->
    servers[s].data.first = servers[s].data.server == 0 && claim.epoch == 0;
    if
    :: !isSame -> servers[s].data.epoch = servers[s].id
    :: else
    fi;
    f = ABOVE(servers[s].data.last, claim.seen);
#ifndef DROP_JUMP
    if
    :: f >= n -> /* the clock is behind: jump */
      f = f + 1;
      do
      :: IS_USED(f) -> f = f + 1
      :: else -> break
      od
    :: else -> f = n
    fi;
#else
    f = (f >= n -> f + 1 : n);
#endif
    servers[s].data.floor = f;
    servers[s].data.last = f;
    if
    :: servers[s].data.trimmed == 0 -> servers[s].data.trimmed = f
    :: else
    fi;
    servers[s].data.raise = raises;
    raises = raises + 1;
    servers[s].data.server = servers[s].id;
    servers[s].data.loads = servers[s].loads;
    note(f);
    printf("server %d raises the floor to %d, raise %d (lost %d)\n", s, f, servers[s].data.raise, lost);
    signal(s, 0, f, servers[s].data.raise)
  :: else
  fi
}

/* publish.lua. Leaves the version in `v`. INFO is not read again while `lease` holds and nothing contradicts the witness. */
inline publish(s, claim, isTopic, lease) {
  if
  :: lease != 0 && lease == servers[s].data.server && claim.epoch == servers[s].data.epoch && !claim.tracksRaises && servers[s].data.last >= claim.seen && servers[s].data.promised >= claim.promised ->
    n = NOW(s)
  :: else ->
    checkEpoch(s, claim);
    lease = servers[s].id
  fi;
  v = ABOVE(servers[s].data.last, claim.seen) + 1;
#ifdef DROP_LAST
  v = claim.seen + 1;
#endif
  v = ABOVE(v, n);
  do
  :: IS_USED(v) && v > servers[s].data.last -> v = v + 1
  :: else -> break
  od;
  note(v);
  servers[s].data.last = v;
#ifdef RETENTION
  servers[s].data.recent = (servers[s].data.recent <= base -> 0 : servers[s].data.recent); /* listed for minutes only */
  servers[s].data.trimmed = ABOVE(base, 1);
#else
  servers[s].data.trimmed = 1;
#endif
  if
  :: isTopic ->
    servers[s].data.topic = v;
    RECENT(s) = v;
    servers[s].data.promised = v;
    signal(s, v, 0, 0)
  :: else
  fi
}

/* The current master was shown what webhook ONE acknowledged. */
inline shown(s) {
  if
  :: s == master -> knowable = acknowledged
  :: else
  fi
}

/* ClusterPublisher: takes the epoch and the version of a reply. */
inline learn(ofEpoch, ofVersion) {
  if
  :: pendingEpoch != 0 && one.acknowledged && pendingEpoch != ofEpoch -> pendingEpoch = 0; one.acknowledged = false
  :: else
  fi;
  one.epoch = (one.acknowledged -> pendingEpoch : ofEpoch);
  one.seen = ABOVE(one.seen, ofVersion)
}

#ifdef RECEIPTS
byte receiptVersion = 0; byte receiptContent = 0;

/* Whether relay r replies to a receipt query by webhook ONE. */
#define REPLIES(r) (relays[r].signals == oneServer && relays[r].commands == oneServer)
/* Whether a newer version was assigned later: the broker, which was shown that version, has the raise that the relay knows. */
#ifndef DROP_RECEIPT_FLOOR
#define INCLUDES(r) (relays[r].version <= one.seen && relays[r].witness.raise == servers[oneServer].data.raise && relays[r].version >= servers[oneServer].data.floor)
#else
#define INCLUDES(r) true
#endif
#define HAS_DELIVERED(r) (REPLIES(r) && (relays[r].version == receiptVersion || (relays[r].version > receiptVersion && INCLUDES(r))))
#endif

#ifdef LIVENESS
#define MAY_CHANGE true
#else
#define MAY_CHANGE (knowable < acknowledged) /* else the check changes nothing */
#endif

proctype WebhookOne() {
  do
#ifdef RECEIPTS
  :: atomic { receiptVersion != 0 && HAS_DELIVERED(0) && (RELAYS == 1 || HAS_DELIVERED(1)) ->
      printf("webhook ONE answers that content %d is delivered\n", receiptContent);
      assert(!subscribed || knows >= receiptContent);
      receiptVersion = 0; receiptContent = 0
    }
#endif
#if defined(RECEIPTS) && !defined(DROP_RECEIPT_FLOOR)
  :: atomic { receiptVersion != 0 && oneVersion == 0 && REPLIES(0) && relays[0].version > one.seen && CAN_RUN(oneServer) ->
      one.seen = relays[0].version;
      checkEpoch(oneServer, one);
      printf("webhook ONE shows server %d the version of a relay, %d\n", oneServer, one.seen);
      shown(oneServer);
      learn(servers[oneServer].data.epoch, servers[oneServer].data.last);
      n = 0; f = 0; lost = false; isSame = false;
    }
#endif
  :: atomic { publishes > 0 && oneVersion == 0 && CAN_RUN(oneServer) ->
      publishes--;
      written++;
      publish(oneServer, one, true, oneLease);
      printf("webhook ONE publishes content %d on server %d: version %d\n", written, oneServer, v);
      oneVersion = v; oneEpoch = servers[oneServer].data.epoch; oneContent = written; oneOnMaster = oneServer == master;
      v = 0; n = 0; f = 0; lost = false; isSame = false;
    }
  :: atomic { oneVersion != 0 -> /* the reply arrives, and the publisher is answered */
      printf("webhook ONE acknowledges content %d\n", oneContent);
      assert(oneVersion > one.seen);
      learn(oneEpoch, oneVersion);
      pendingEpoch = oneEpoch; one.acknowledged = true; one.epoch = oneEpoch;
      one.promised = oneVersion;
#ifdef RECEIPTS
      receiptVersion = oneVersion; receiptContent = oneContent;
#endif
      acknowledged = oneContent;
      if
      :: oneOnMaster && oneServer == master -> knowable = acknowledged
      :: else
      fi;
      oneVersion = 0; oneEpoch = 0; oneContent = 0; oneOnMaster = false;
    }
  :: atomic { oneVersion != 0 -> /* the reply is lost: the publisher may not call again */
      oneVersion = 0; oneEpoch = 0; oneContent = 0; oneOnMaster = false;
    }
#ifndef DROP_REMINDER
  :: atomic { oneVersion == 0 && acknowledged > 0 && MAY_CHANGE && CAN_RUN(oneServer) -> /* the periodic check */
      checkEpoch(oneServer, one);
      printf("webhook ONE shows its witness to server %d\n", oneServer);
      shown(oneServer);
      learn(servers[oneServer].data.epoch, servers[oneServer].data.last);
      n = 0; f = 0; lost = false; isSame = false;
    }
#endif
  :: atomic { oneServer != master && oneVersion == 0 -> oneServer = master; oneLease = 0 }
  :: atomic { oneLease != 0 -> oneLease = 0 } /* a second is over */
  od
}

proctype WebhookTwo() {
  do
  :: atomic { others > 0 && CAN_RUN(twoServer) ->
      others--;
      publish(twoServer, two, false, twoLease);
      printf("webhook TWO publishes on server %d: version %d\n", twoServer, v);
      two.epoch = servers[twoServer].data.epoch;
      two.seen = v;
      v = 0; n = 0; f = 0; lost = false; isSame = false;
    }
  :: atomic { twoServer != master -> twoServer = master; twoLease = 0 }
  :: atomic { twoLease != 0 -> twoLease = 0 }
  od
}

/* The client receives an update, and fetches the content. */
inline notify(r) {
  if
  :: at == r && subscribed -> has = relays[r].version; knows = written; printf("client is notified of version %d\n", has)
  :: else
  fi
}

/* The version that a relay has of the topic: Partition.currentVersion. */
#define EMPTY(r) ABOVE(BASE(r), relays[r].floor)
#define CURRENT(r) (relays[r].stored > relays[r].floor && relays[r].stored > RETAINED(r) -> relays[r].stored : ABOVE(relays[r].stored, EMPTY(r)))

inline merge(r, found) {
  relays[r].stored = ABOVE(relays[r].stored, found);
  if
  :: found > relays[r].version -> relays[r].version = found; notify(r)
  :: else
  fi
}

inline notifyOfCurrent(r) {
  if
  :: CURRENT(r) > relays[r].version -> relays[r].version = CURRENT(r); notify(r)
  :: else
  fi
}

inline raiseFloor(r, raised) {
  if
  :: raised > relays[r].floor ->
    relays[r].floor = raised;
    relays[r].witness.seen = ABOVE(relays[r].witness.seen, raised);
#ifndef DROP_FLOOR
    notifyOfCurrent(r)
#endif
  :: else
  fi
}

inline receive(r, queue) {
  queue ? v, f, n;
  printf("relay %d receives version %d, floor %d, raise %d\n", r, v, f, n);
  if
#ifdef MARKERS
  :: f == 0 && v == 0 ->
#ifdef DROP_MARKER_NUMBER
    relays[r].probe = (relays[r].probe == 2 -> 3 : relays[r].probe)
#else
    relays[r].probe = (relays[r].probe == 2 && relays[r].number == n -> 3 : relays[r].probe)
#endif
  :: f == 0 && v != 0 ->
#else
  :: f == 0 ->
#endif
    relays[r].witness.seen = ABOVE(relays[r].witness.seen, v);
    if
    :: relays[r].stage > 0 -> merge(r, v)
    :: else
    fi
  :: else ->
    if
    :: f > relays[r].floor && f > relays[r].witness.seen -> relays[r].witness.raise = n
    :: else
    fi;
    raiseFloor(r, f)
  fi;
  v = 0; f = 0; n = 0
}

inline clear(queue) {
  do
  :: nempty(queue) -> queue ? v, f, n
  :: empty(queue) -> break
  od;
  v = 0; f = 0; n = 0
}

/* Checks the epoch, and takes the state of the partition. */
inline ask(r) {
  w = relays[r].commands;
  checkEpoch(w, relays[r].witness);
  printf("relay %d asks server %d: floor %d, raise %d, last %d; witness %d, raise %d\n", r, w, servers[w].data.floor, servers[w].data.raise, servers[w].data.last, relays[r].witness.seen, relays[r].witness.raise);
  relays[r].asFloor = servers[w].data.floor; relays[r].asRaise = servers[w].data.raise;
  relays[r].asEpoch = servers[w].data.epoch; relays[r].asLast = servers[w].data.last;
#ifdef RETENTION
  relays[r].asBase = base; relays[r].asRetained = retained;
  servers[w].data.last = ABOVE(servers[w].data.last, base);
  relays[r].asLast = servers[w].data.last;
#endif
  relays[r].asCovers = (w == master -> knowable : 0);
  n = 0; f = 0; lost = false; isSame = false
}

inline digest(r) {
  ask(r);
  relays[r].asked = true;
  relays[r].complete = servers[w].data.trimmed <= relays[r].cursor && servers[w].data.last >= relays[r].cursor;
  relays[r].listed = (RECENT(w) > relays[r].cursor -> RECENT(w) : 0);
  relays[r].isMaster = w == master;
#ifdef MARKERS
  relays[r].replaced = false;
#endif
  w = 0
}

inline forgetDigest(r) {
  relays[r].asked = false; relays[r].complete = false; relays[r].listed = 0; relays[r].isMaster = false;
  relays[r].asFloor = 0; relays[r].asRaise = 0; relays[r].asEpoch = 0; relays[r].asLast = 0; relays[r].asCovers = 0
#ifdef RETENTION
  ;relays[r].asBase = 0; relays[r].asRetained = 0
#endif
#ifdef MARKERS
  ;relays[r].replaced = false; relays[r].probe = 0; relays[r].number = 0; relays[r].ranOn = 0; relays[r].from = 0
#endif
}

inline subscribe(r, queue) {
  printf("relay %d subscribes at the master\n", r);
  relays[r].signals = master;
  clear(queue);
  relays[r].stage = 0; /* to be watched and read again */
#ifdef MARKERS
  relays[r].deaf = false;
  relays[r].isListed = false;
  relays[r].replaced = relays[r].asked || relays[r].probe > 0
#endif
}

#ifdef MARKERS
/* Whether signals can prove anything: changes were listed, and the topic was read, since the subscription was replaced. */
#ifndef DROP_LISTED_FIRST
#define IS_LISTED(r) relays[r].isListed
#else
#define IS_LISTED(r) (relays[r].witness.epoch != 0)
#endif
#ifndef DROP_RELAPSED
#define HAS_RELAPSED(r) (relays[r].loaded && relays[r].stage < 2)
#else
#define HAS_RELAPSED(r) false
#endif
#define CAN_PROVE(r) (IS_LISTED(r) && !HAS_RELAPSED(r))

/* Sends a probe. Its marker has a number that no marker under way has. */
inline sendProbe(r, queue) {
  relays[r].probe = 1;
  relays[r].from = relays[r].signals;
  relays[r].number = (queue ?? [0, 0, 1] -> (queue ?? [0, 0, 2] -> 3 : 2) : 1)
}

/* The probe runs, and publishes its marker on a channel that only the connection subscribes to from which it was sent. */
inline runProbe(r, queue) {
  ask(r);
  relays[r].ranOn = w;
  relays[r].probe = 2;
#ifndef DROP_MARKER_CHANNEL
  if
  :: !relays[r].replaced -> emit(w, r, queue, 0, 0, relays[r].number)
  :: else
  fi;
#else
  emit(w, r, queue, 0, 0, relays[r].number);
#endif
  w = 0
}

#ifdef DROP_FALLBACK
#define HAS_ARRIVED(r) (relays[r].probe >= 2)
#else
#define HAS_ARRIVED(r) (relays[r].probe == 3)
#endif
#ifndef DROP_MARKER_SERVER
#define IS_OF_SERVER(r) (relays[r].ranOn == relays[r].from)
#else
#define IS_OF_SERVER(r) (relays[r].from != NONE)
#endif
#ifndef DROP_LOSSES
#define IS_OF_CONNECTION(r) !relays[r].replaced
#else
#define IS_OF_CONNECTION(r) true
#endif
#ifndef DROP_CONTINUED
#define IS_CONTINUED(r) (relays[r].asEpoch == relays[r].witness.epoch && relays[r].asRaise == relays[r].witness.raise && relays[r].asLast >= relays[r].cursor)
#else
#define IS_CONTINUED(r) true
#endif
#define HAS_PROVEN(r) (HAS_ARRIVED(r) && IS_OF_SERVER(r) && IS_OF_CONNECTION(r) && IS_CONTINUED(r))

/* All signals up to `last` have arrived: nothing is read. */
inline applyProbe(r) {
  printf("relay %d: its signals are complete\n", r);
  relays[r].witness.epoch = relays[r].asEpoch;
  relays[r].witness.raise = (relays[r].asFloor >= relays[r].floor -> relays[r].asRaise : relays[r].witness.raise);
  relays[r].witness.seen = ABOVE(relays[r].witness.seen, relays[r].asLast);
  relays[r].floor = ABOVE(relays[r].floor, relays[r].asFloor);
#ifdef RETENTION
  learnBase(r);
#endif
  relays[r].cursor = relays[r].asLast;
  relays[r].covers = ABOVE(relays[r].covers, relays[r].asCovers);
  forgetDigest(r);
  proven(r)
}
#endif

#ifdef RETENTION
inline learnBase(r) {
  relays[r].base = ABOVE(relays[r].base, relays[r].asBase);
  relays[r].retained = ABOVE(relays[r].retained, relays[r].asRetained)
}
#endif

/* Reads the register, if the digest asks for it, and applies the digest. */
inline apply(r) {
  printf("relay %d applies its digest\n", r);
  relays[r].witness.epoch = relays[r].asEpoch;
#ifndef DROP_RAISE_ORDER
  relays[r].witness.raise = (relays[r].asFloor >= relays[r].floor -> relays[r].asRaise : relays[r].witness.raise);
#else
  relays[r].witness.raise = relays[r].asRaise;
#endif
  relays[r].witness.seen = ABOVE(relays[r].witness.seen, relays[r].asLast);
#ifdef RETENTION
  w = EMPTY(r);
  learnBase(r);
#endif
  raiseFloor(r, relays[r].asFloor);
#ifndef DROP_REPAIR
  if
  :: relays[r].loaded && (relays[r].listed > 0 || !relays[r].complete) ->
    v = servers[relays[r].commands].data.topic;
#if defined(RETENTION) && !defined(DROP_EXPIRED)
    if
    :: v == 0 && !relays[r].complete && EMPTY(r) > w -> /* an update may have been missed before it expired */
      relays[r].stored = 0;
      notifyOfCurrent(r)
    :: else
    fi;
#endif
#ifndef DROP_LISTED
    v = (relays[r].complete && v < relays[r].listed -> relays[r].listed : v); /* lost since the digest: its version is enough to notify */
#endif
    relays[r].witness.seen = ABOVE(relays[r].witness.seen, v);
    merge(r, v);
    v = 0
  :: else
  fi;
#endif
#ifdef RETENTION
  w = 0;
#endif
  relays[r].cursor = relays[r].asLast;
  relays[r].covers = ABOVE(relays[r].covers, relays[r].asCovers);
#ifdef MARKERS
  relays[r].isListed = relays[r].isListed || !relays[r].replaced;
#endif
  forgetDigest(r);
  proven(r)
}

/* Safety: whoever is subscribed at a relay knows what the relay has proven that it did not miss. */
inline proven(r) {
  assert(!(at == r && subscribed) || knows >= relays[r].covers)
}

/* Reads the register of a topic that is watched. */
inline load(r) {
  if
  :: !relays[r].loaded && servers[relays[r].commands].data.server != servers[relays[r].commands].id || !relays[r].loaded && servers[relays[r].commands].data.epoch != relays[r].witness.epoch -> /* may have lost data since */
    relays[r].covers = 0; relays[r].asCovers = 0 /* the last digest: the next one shows it, so the bound starts again */
  :: else
  fi;
  v = servers[relays[r].commands].data.topic;
  relays[r].witness.seen = ABOVE(relays[r].witness.seen, v);
  merge(r, v);
  v = 0;
  if
  :: CURRENT(r) > relays[r].version -> relays[r].version = CURRENT(r)
  :: else
  fi;
  relays[r].stage = 2;
  relays[r].loaded = true;
  printf("relay %d loads version %d\n", r, relays[r].version)
}

#ifdef MARKERS
#define IS_TO_SUBSCRIBE(r) (relays[r].signals != master || relays[r].deaf)
#else
#define IS_TO_SUBSCRIBE(r) (relays[r].signals != master)
#endif
#define IS_TO_WATCH(r) (relays[r].stage == 0 && (at == r || relays[r].loaded) && relays[r].signals != NONE)
#define IS_TO_LOAD(r) (relays[r].stage == 1 && servers[relays[r].commands].alive && relays[r].witness.epoch != 0)

/* The client subscribes with the version that it has. */
inline arrive(r) {
  subscribed = true;
#ifndef DROP_RESUME
  if
  :: has == 0 -> knows = written; has = CURRENT(r) /* the page has just fetched */
#ifdef DROP_EQUAL
  :: has != 0 && has < CURRENT(r) -> notify(r)
#else
  :: has != 0 && has != CURRENT(r) -> has = CURRENT(r); knows = written
#endif
  :: else
  fi;
#else
  if
  :: has == 0 -> knows = written
  :: else
  fi;
  has = CURRENT(r);
#endif
  printf("client subscribes at relay %d: has %d, knows %d\n", r, has, knows);
  proven(r)
}

#ifdef LIVENESS
/*
 * The loops of a relay, each a process of its own, so that weak fairness forces each to go on: it receives, it subscribes and
 * reads topics, and it probes and digests.
 */
proctype Receiver(byte r; chan queue) {
  do
  :: atomic { nempty(queue) -> receive(r, queue) }
  od
}

proctype Interest(byte r; chan queue) {
  do
  :: atomic { relays[r].commands != master -> relays[r].commands = master; printf("relay %d: commands to the master\n", r) }
#ifndef DROP_RESUBSCRIBE
  :: atomic { IS_TO_SUBSCRIBE(r) -> subscribe(r, queue) }
#else
  :: atomic { IS_TO_SUBSCRIBE(r) && faults == FAULTS -> subscribe(r, queue) }
#endif
  :: atomic { IS_TO_WATCH(r) -> relays[r].stage = 1 }
  :: atomic { IS_TO_LOAD(r) -> load(r) }
  od
}

/* An interval is longer than signals are under way: queues that overflow again and again would be a fault without an end. */
proctype Rounds(byte r; chan queue) {
  do
#ifdef MARKERS
  :: atomic { CAN_RUN(relays[r].commands) && CAN_PROVE(r) && empty(queue) -> sendProbe(r, queue); runProbe(r, queue) }
    do
    :: atomic { HAS_PROVEN(r) -> applyProbe(r); break }
    :: atomic { !HAS_PROVEN(r) && CAN_RUN(relays[r].commands) -> forgetDigest(r); digest(r); apply(r); break } /* late or lost */
    :: atomic { !HAS_PROVEN(r) && !CAN_RUN(relays[r].commands) -> forgetDigest(r); break }
    od
  :: atomic { CAN_RUN(relays[r].commands) && !CAN_PROVE(r) -> digest(r); apply(r) }
#else
  :: atomic { CAN_RUN(relays[r].commands) -> digest(r); apply(r) }
#endif
#ifdef DROP_NEXT_ROUND
  :: atomic { !CAN_RUN(relays[r].commands) -> break }
#endif
  od
}
#else
proctype RelayProcess(byte r; chan queue) {
  do
  :: atomic { nempty(queue) -> receive(r, queue) }
#ifdef MARKERS
  :: atomic { !relays[r].asked && relays[r].probe == 0 && CAN_PROVE(r) && relays[r].signals != NONE && CAN_RUN(relays[r].commands) ->
      sendProbe(r, queue);
#ifdef ATOMIC_DIGEST
      runProbe(r, queue)
#endif
    }
  :: atomic { relays[r].probe == 1 && CAN_RUN(relays[r].commands) -> runProbe(r, queue) }
  :: atomic { relays[r].probe >= 2 && HAS_PROVEN(r) -> applyProbe(r) }
  :: atomic { relays[r].probe > 0 -> forgetDigest(r) } /* the reply or the marker is late: a digest, or the next probe, follows */
  :: atomic { !relays[r].asked && relays[r].probe == 0 && CAN_RUN(relays[r].commands) ->
#else
  :: atomic { !relays[r].asked && CAN_RUN(relays[r].commands) ->
#endif
      digest(r);
#ifdef ATOMIC_DIGEST
      apply(r)
#endif
    }
  :: atomic { relays[r].asked && servers[relays[r].commands].alive -> apply(r) }
  :: atomic { relays[r].asked && !servers[relays[r].commands].alive -> forgetDigest(r) }
  :: atomic { relays[r].commands != master -> relays[r].commands = master; forgetDigest(r); printf("relay %d: commands to the master\n", r) }
  :: atomic { IS_TO_SUBSCRIBE(r) -> subscribe(r, queue) }
  :: atomic { IS_TO_WATCH(r) -> relays[r].stage = 1 }
  :: atomic { IS_TO_LOAD(r) -> load(r) }
#ifdef RETENTION
  :: atomic { at != r && relays[r].loaded -> /* no client has subscribed to the topic for a while */
      relays[r].stage = 0; relays[r].loaded = false; relays[r].stored = 0; relays[r].version = 0;
      printf("relay %d forgets the topic\n", r)
    }
#endif
  od
}
#endif

proctype Client() {
  byte r;
  do
#ifndef DROP_RECONNECT
  :: atomic { at == NONE ->
#else
  :: atomic { at == NONE && has == 0 ->
#endif
      if
      :: at = 0
#if RELAYS > 1
      :: at = 1
#endif
      fi }
  :: atomic { at != NONE && !subscribed && relays[at].loaded && IS_FRESH(at) ->
      r = at;
      arrive(r);
      r = 0
    }
  :: atomic { at != NONE && moves > 0 -> moves--; at = NONE; subscribed = false; printf("client leaves\n") }
  od
}

/* Replaces the process of server s, with data that are empty, or those of server `from`. */
inline emptyData(s) {
  servers[s].data.floor = 0; servers[s].data.last = 0; servers[s].data.epoch = 0; servers[s].data.raise = 0;
  servers[s].data.first = false; servers[s].data.server = 0; servers[s].data.loads = 0; servers[s].data.promised = 0;
  servers[s].data.trimmed = 0; servers[s].data.topic = 0;
  RECENT(s) = 0
}

inline copyData(from, s) {
  servers[s].data.floor = servers[from].data.floor; servers[s].data.last = servers[from].data.last;
  servers[s].data.epoch = servers[from].data.epoch; servers[s].data.raise = servers[from].data.raise;
  servers[s].data.first = servers[from].data.first; servers[s].data.server = servers[from].data.server;
  servers[s].data.loads = servers[from].data.loads; servers[s].data.promised = servers[from].data.promised;
  servers[s].data.trimmed = servers[from].data.trimmed; servers[s].data.topic = servers[from].data.topic;
  RECENT(s) = RECENT(from)
}

#define LAST (RELAYS - 1)

/* The other server: a replica that follows whenever it likes, or an older state of the data on disk. */
#define OTHER (1 - master)

/*
 * Faults end: every link is up again, and every process does what it does within two intervals. From every state that can be reached,
 * the client then knows everything that was acknowledged. This is the promise, and its bound.
 */
inline round(r, queue) {
  relays[r].commands = master;
  forgetDigest(r);
#ifdef MARKERS
  if
  :: relays[r].signals != master -> subscribe(r, queue)
  :: else
  fi;
  do
  :: nempty(queue) -> receive(r, queue)
  :: empty(queue) -> break
  od;
  if
  :: CAN_PROVE(r) ->
    ask(r);
    w = 0;
    relays[r].ranOn = master;
    relays[r].from = master;
    relays[r].probe = (relays[r].deaf -> 2 : 3)
  :: else
  fi;
  if
  :: HAS_PROVEN(r) -> applyProbe(r)
  :: else -> forgetDigest(r); digest(r); apply(r)
  fi
#else
  relays[r].signals = master;
  clear(queue);
  digest(r);
  apply(r)
#endif
}

inline settle() {
  printf("webhook, relay, client: faults end\n");
  oneServer = master; twoServer = master;
  if
  :: isReplica -> skip
  :: else -> copyData(master, OTHER); isReplica = true
  fi;
  round(0, signals0);
#if RELAYS > 1
  round(1, signals1);
#endif
#ifndef DROP_REMINDER
  if
  :: acknowledged > 0 -> checkEpoch(oneServer, one); n = 0; f = 0; lost = false; isSame = false
  :: else
  fi;
#endif
  round(0, signals0);
#if RELAYS > 1
  round(1, signals1);
#endif
  if
  :: !subscribed ->
    at = (at == NONE -> 0 : at);
    load(at);
    arrive(at)
  :: else
  fi;
  assert(knows >= acknowledged)
}

proctype Environment() {
  byte sameRun;
  do
#ifndef LIVENESS
  :: atomic { faults == 0 -> settle(); break }
#endif
  :: atomic { isReplica && servers[OTHER].data.last != servers[master].data.last -> copyData(master, OTHER); printf("server %d replicates\n", OTHER) }
  :: atomic { !isReplica -> /* the replaced master learns of its successor */
      copyData(master, OTHER);
      servers[OTHER].loads++;
      servers[OTHER].wasReplica = true;
      servers[OTHER].alive = true;
      isReplica = true;
      printf("server %d becomes a replica\n", OTHER)
    }
#ifdef FAILOVER
  :: atomic { faults > 0 && isReplica -> /* the replica is promoted; the master lives on, cut off, or is dead */
      faults--;
      sameRun = runOf[servers[OTHER].id];
      servers[OTHER].id = ids; runOf[ids] = sameRun; ids++;
      servers[OTHER].wasReplica = true;
      isReplica = false;
      if
      :: servers[master].alive = false;
        relays[0].signals = (relays[0].signals == master -> NONE : relays[0].signals);
        relays[1].signals = (relays[1].signals == master -> NONE : relays[1].signals)
      :: true
      fi;
      master = OTHER;
      printf("server %d is promoted; the other lives: %d\n", master, servers[OTHER].alive);
      sameRun = 0
    }
#endif
#ifdef RESTART
  :: atomic { faults > 0 -> /* the master starts again, empty or with an older state */
      faults--;
      servers[master].id = ids; runOf[ids] = runs; ids++; runs++;
      servers[master].wasReplica = false;
      servers[master].loads = 0;
      if
      :: emptyData(master)
      :: isReplica -> copyData(OTHER, master)
      fi;
      relays[0].signals = (relays[0].signals == master -> NONE : relays[0].signals);
      relays[1].signals = (relays[1].signals == master -> NONE : relays[1].signals);
#ifndef DROP_LEASE_END
      oneLease = (oneServer == master -> 0 : oneLease);
      twoLease = (twoServer == master -> 0 : twoLease);
#endif
    }
#endif
#ifdef RELOAD
  :: atomic { faults > 0 -> /* the running master loses its data, or loads older ones */
      faults--;
      if
      :: emptyData(master)
      :: isReplica -> copyData(OTHER, master); servers[master].loads++
      fi;
      knowable = 0;
      oneOnMaster = false
    }
#endif
#ifdef REPLID
  :: atomic { faults > 0 && !servers[master].wasReplica -> /* first replica, or the backlog expired */
      faults--;
      sameRun = runOf[servers[master].id];
      servers[master].id = ids; runOf[ids] = sameRun; ids++;
      sameRun = 0
    }
#endif
#ifdef RETENTION
  :: atomic { faults > 0 -> /* half the retention passes */
      faults--;
      retained = base;
      base = newest + 1;
      note(base);
      printf("server clocks: half the retention has passed, base %d, retained since %d\n", base, retained)
    }
  :: atomic { expired < retained ->
      expired = retained;
      servers[0].data.topic = (servers[0].data.topic <= retained -> 0 : servers[0].data.topic);
      servers[1].data.topic = (servers[1].data.topic <= retained -> 0 : servers[1].data.topic);
      printf("server clocks: registers up to %d expire\n", expired)
    }
#endif
#ifdef CLOCK
  :: atomic { faults > 0 -> faults--; servers[master].behind = !servers[master].behind }
#endif
#ifdef LINKS
  :: atomic { faults > 0 -> faults--; if :: relays[0].signals = NONE :: relays[1].signals = NONE fi }
#endif
#ifdef RELAY_RESTART
  :: atomic { faults > 0 -> /* the last relay is replaced by a new process */
      faults--;
      relays[LAST].witness.epoch = 0; relays[LAST].witness.seen = 0; relays[LAST].witness.raise = 0;
      relays[LAST].floor = 0; relays[LAST].cursor = 0; relays[LAST].version = 0; relays[LAST].stored = 0; relays[LAST].stage = 0; relays[LAST].loaded = false;
      relays[LAST].covers = 0; relays[LAST].signals = NONE;
      forgetDigest(LAST);
#ifdef MARKERS
      relays[LAST].deaf = false; relays[LAST].isListed = false;
#endif
      if
      :: at == LAST -> at = NONE; subscribed = false
      :: else
      fi
    }
#endif
  od
}

init {
  atomic {
    servers[0].id = 0; servers[1].id = 1;
    servers[0].id = 1; runOf[1] = 1;
    servers[1].id = 2; runOf[2] = 2; ids = 3; runs = 3;
    servers[0].alive = true; servers[1].alive = true; servers[1].wasReplica = true;
    relays[0].witness.tracksRaises = true; relays[1].witness.tracksRaises = true;
    relays[0].signals = NONE; relays[1].signals = NONE;
#ifdef BEHIND
    servers[0].behind = true; servers[1].behind = true;
#endif
    run WebhookOne();
#if OTHERS
    run WebhookTwo();
#endif
    run Client();
    run Environment();
#ifdef LIVENESS
    run Receiver(0, signals0); run Interest(0, signals0); run Rounds(0, signals0);
#if RELAYS > 1
    run Receiver(1, signals1); run Interest(1, signals1); run Rounds(1, signals1);
#endif
#else
    run RelayProcess(0, signals0);
#if RELAYS > 1
    run RelayProcess(1, signals1);
#endif
#endif
  }
}

#ifdef LIVENESS
/* Whatever the order of steps, if no process stands still for ever: the client knows everything that was acknowledged. */
ltl settles { <>[] (subscribed && knows >= acknowledged) }
#endif
