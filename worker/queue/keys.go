package queue

// All keys of records and indexes carry one hash tag, so that a script may touch any of them on Redis Cluster too.
const prefix = "{orch}:"

const (
	keyStores     = prefix + "stores"     // zset: store id by time of acceptance in microseconds
	keyOpen       = prefix + "open"       // zset: store id with something undecided or untold, by time of the next look in ms
	keyHosts      = prefix + "hosts"      // hash: host to the id of the live store that owns it
	keyNamespaces = prefix + "namespaces" // hash: namespace to the id of the live store that owns it
	keyDead       = prefix + "dead"       // hash: callback id to the callback that the backend refused
	keySweeper    = prefix + "sweeper"    // string: lease of the one sweeper
	keyMarker     = prefix + "marker"     // string: when the records were last declared whole; without it nothing is accepted
	channelNewest = prefix + "newest"     // pub/sub: store ids that have a newer generation
)

func keyStore(id string) string   { return prefix + "store:" + id }   // hash: the record
func keyGate(id string) string    { return prefix + "gate:" + id }    // string: lease of the run
func keyTurn(id string) string    { return prefix + "turn:" + id }    // string: lease of the delivery of callbacks
func keyCalls(id string) string   { return prefix + "calls:" + id }   // hash: sequence to callback not told yet
func keyJournal(id string) string { return prefix + "journal:" + id } // stream: steps

// Scripts make the names of these themselves: which cluster a store is on is decided there.
const (
	keyClusters = prefix + "cluster:"  // set per cluster that has a name of its own: the stores that live there
	keyUp       = prefix + "up:"       // string per cluster: some worker has reached it lately
	keySurveyor = prefix + "surveyor:" // string per cluster that is named: lease of the worker that compares it with the records
	keySurveyed = prefix + "surveyed"  // set: clusters whose stores are on record again, while the marker is missing
)

// keyLine is a zset: stores that are new with this creator, those that have begun first. Scripts make the name themselves,
// since only the record says which line its store stands in.
func keyLine(creator string) string { return prefix + "line:" + creator }
