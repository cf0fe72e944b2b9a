package record

// All keys of records and indexes carry one hash tag, so that a script may touch any of them on Redis Cluster too.
const prefix = "{orch}:"

const (
	keyStores              = prefix + "stores"                // zset: store id by time of acceptance in microseconds
	keyOutstanding         = prefix + "outstanding"           // zset: store id without an outcome or with pending callbacks, by time of the next inspection in ms
	keyHosts               = prefix + "hosts"                 // hash: host to the id of the live store that owns it
	keyNamespaces          = prefix + "namespaces"            // hash: namespace to the id of the live store that owns it
	keyDeadLetters         = prefix + "dead-letters"          // hash: callback id to the callback that the backend refused
	keyDeadLetterTimes     = prefix + "dead-letter-times"     // zset: callback id by time of its refusal in microseconds
	keyPendingCallbacks    = prefix + "pending-callbacks"     // zset: pending callbacks of all stores, SEQUENCE.STORE, by time in ms; written by scripts
	keySweepLease          = prefix + "sweep-lease"           // string: lease of the one sweeper
	keyComplete            = prefix + "complete"              // string: when the records were last declared complete; without it nothing is accepted
	keyRecoveredClusters   = prefix + "recovered-clusters"    // set: clusters whose stores are on record again, while the records are incomplete
	keyInstallation        = prefix + "installation"          // string: the generated name of an installation that was given none
	keyLostClusters        = prefix + "lost-clusters"         // hash: a cluster that was given up to where the pass over all stores stands
	keyOrphans             = prefix + "orphans:"              // zset of each kind: store id by the time since when it is an orphan, in microseconds
	keyHolds               = prefix + "holds"                 // hash: "cluster:engine" to why its provisions wait, as JSON
	keyAuditPass           = prefix + "audit-pass"            // hash: when the pass over all stores began and where it stands
	keyFindings            = prefix + "findings:"             // zset of each kind: store id by the time since when an audit finds it so, in microseconds
	keyRollout             = prefix + "rollout"               // hash: the newest rollout; its stores are in keys behind it
	keyFleetIndexed        = prefix + "fleet-indexed"         // string: up to where the stores were indexed, of records without it; "done"
	keyFleetGrouped        = prefix + "fleet-grouped"         // string: the same for the index by status, engine and cluster
	keyFleetNames          = prefix + "fleet-names"           // zset: names in lower case, what they are and the store, separated by zeros
	keyCreatorsCounted     = prefix + "creators-counted"      // string: up to where the stores of creators were counted, of records without it; "done"
	keyQuotas              = prefix + "quotas"                // hash: a creator to how many stores it may have, where that is not as for all
	keyEvents              = prefix + "events"                // stream: what has happened to stores, for those who watch
	keyBackups             = prefix + "backups"               // zset: the stores that are backed up, by when next in ms
	keyBackupsRunning      = prefix + "backups-running"       // zset: the stores whose backup was handed out, by when in ms
	keyBackupRequests      = prefix + "backup-requests"       // zset: the stores of which a backup was asked for, by when it is handed out in ms
	keyBackupsScheduled    = prefix + "backups-scheduled"     // string: a worker hands backups out
	keyBackupPass          = prefix + "backup-pass"           // string: up to where the pass over all stores has come that puts them into the schedule
	keyRestoreTests        = prefix + "restore-tests"         // zset: the stores whose last good backup is tested, by when next in ms
	keyRestoreTestsRunning = prefix + "restore-tests-running" // zset: the stores whose test was handed out, by when in ms
	keyRestoreTestPass     = prefix + "restore-test-pass"     // string: as backup-pass
	keyRestoreTested       = prefix + "restore-tested:"       // zset of each engine: store id by when its last test has passed in ms, or since when there is none
	keyBackedUp            = prefix + "backed-up:"            // zset of each engine: store id by when its last good backup began in ms, or since when it has none
	keyGraves              = prefix + "graves"                // zset: stores that are to be deleted, by when in ms
	channelNewest          = prefix + "newest"                // pub/sub: ids of stores that have a newer generation, and the queue that its task will be in
)

func keyStore(id string) string         { return prefix + "store:" + id }          // hash: the record
func keyRunLease(id string) string      { return prefix + "run-lease:" + id }      // string: lease of the run
func keyCallbackLease(id string) string { return prefix + "callback-lease:" + id } // string: lease of the delivery of callbacks
func keyCallbacks(id string) string     { return prefix + "callbacks:" + id }      // hash: sequence to pending callback
func keyJournal(id string) string       { return prefix + "journal:" + id }        // stream: steps, and what else has happened
func keyStoreBackups(id string) string  { return prefix + "store-backups:" + id }  // list: backups as JSON, the newest first
func keyHistory(id string) string       { return prefix + "history:" + id }        // hash: generation to how it has ended
func keyWaits(id string) string         { return prefix + "waits-for:" + id }      // string: what its run waits for
func keyDeliveries(id string) string    { return prefix + "deliveries:" + id }     // list: deliveries of callbacks, the latest first

func keyClusterHealthy(cluster string) string { return prefix + "cluster-healthy:" + cluster } // string: a worker has reached the cluster lately
func keyRecoveryLease(cluster string) string  { return prefix + "recovery-lease:" + cluster }  // string: lease of the worker that reconciles a named cluster

func keyClusterStores(cluster string) string { return prefix + "cluster-stores:" + cluster } // set: the stores on a cluster that is not the default one; written by scripts

func keyUnwellStores(cluster string) string { return prefix + "unwell-stores:" + cluster } // set: the stores of a cluster that are unwell

func keyHealing(cluster string) string { return prefix + "healing:" + cluster } // zset: stores of a cluster that have failed and may heal, by the time of the next look in ms

func keyWaitingStores(cluster, engine string) string {
	return prefix + "waiting-stores:" + cluster + ":" + engine // zset: the stores that wait on a hold, by when they were told to in ms; written by scripts
}

func keyFleet(field, value string) string    { return prefix + "fleet:" + field + ":" + value }
func keyCreatorStores(creator string) string { return prefix + "creator-stores:" + creator } // set: the stores of a creator that are not gone; written by scripts

// Two keys are made in scripts only, since only the record says which they are: {orch}:creator-queue:CREATOR, the zset of the
// creator's new stores (lib_creator_queue.lua), and {orch}:failures:CLUSTER:ENGINE:CODE, the zset of those whose stores have failed
// (lib_holds.lua).
